"""Settings, all of them in the environment as ``BP_FAUST_*``: ours are read here, Faust's own by Faust."""
