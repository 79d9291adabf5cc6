"""Test bp_faust."""
