//! Table functions.

pub(crate) mod synthetic_flows;
