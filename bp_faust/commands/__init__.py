"""Add our commands to Faust's: each module those of one thing."""
