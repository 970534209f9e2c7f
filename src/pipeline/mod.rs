//! The driver: a folder of scripts becomes a sequence of steps, checked as a whole, then run one
//! by one, recorded, and published together.
//!
//! `script` reads files, `plan` gives statements their meaning, `check` is pure and
//! printable, [`runner`] has all the effects. Nothing here prints: an [`Observer`] is told.

mod assertion;
mod check;
mod diagnose;
mod execute;
pub mod export;
pub mod gc;
mod identity;
mod make;
mod metrics;
mod observer;
mod origin;
mod params;
mod plan;
pub mod query;
pub mod runner;
mod script;
pub mod select;
pub mod verify;

pub use observer::{Observer, StepOutlook, StepSummary};
