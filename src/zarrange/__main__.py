"""`python -m zarrange`."""

from zarrange.cli import main

if __name__ == "__main__":
    main()
