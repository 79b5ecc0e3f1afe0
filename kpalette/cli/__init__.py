"""The command line: arguments and printing; every computation is a call into the package."""
