"""``python -m casemix``."""

from casemix.cli import main

if __name__ == "__main__":
    main()
