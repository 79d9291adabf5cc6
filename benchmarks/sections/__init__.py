"""Ask one question each: every module here has ``answer(bench)``, which measures and returns a ``report.Answer``."""
