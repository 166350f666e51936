"""Clinical rules: the language they are written in, and the rules that casemix ships."""
