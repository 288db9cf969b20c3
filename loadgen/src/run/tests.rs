//! Runs against a broker of our own making.
