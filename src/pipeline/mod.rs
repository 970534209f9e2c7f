//! The driver: a folder of scripts becomes a sequence of steps, checked as a whole, then run one
//! by one, recorded, and published together.
//!
//! [`script`] reads files, [`plan`] gives statements their meaning, [`check`] is pure and
//! printable, [`runner`] has all the effects. Nothing here prints.

pub mod check;
mod diagnose;
mod identity;
pub mod params;
pub mod plan;
pub mod query;
mod record;
pub mod runner;
pub mod script;
pub mod select;
mod step;
