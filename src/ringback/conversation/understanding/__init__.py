"""What was said, as numbers, dates, times, answers: English in code, other languages as tables in `lexicon/`."""
