"""Dead letters: what they are, why they are, where they lie, and how they are shown and sent again."""
