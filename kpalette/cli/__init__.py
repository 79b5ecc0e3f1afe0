"""The command line: it reads arguments and prints results. The package does everything else."""
