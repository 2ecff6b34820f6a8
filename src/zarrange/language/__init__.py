"""What a layout means. Pure: nothing here touches a store."""
