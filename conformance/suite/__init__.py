"""The conformance suite: unmodified clients against one broker. README.md beside this folder says how to run it."""
