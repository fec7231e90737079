"""The command line: Hydra apps that compose, train, evaluate and sample what `vrnn` holds."""
