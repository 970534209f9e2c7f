//! A generator of realistic, labelled network events.
