"""What the results say: from the lazy table to small frames and sentences. No markup, no pictures."""
