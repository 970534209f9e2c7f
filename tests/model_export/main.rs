//! `pipeline model export`: what can go wrong, what is written, and that it scores elsewhere.
#![allow(clippy::expect_used, clippy::panic, clippy::disallowed_methods)]

mod command;
#[path = "../common/mod.rs"]
mod common;
mod onnx;
