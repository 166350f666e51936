"""An example of a third-party package with a casemix generator."""
