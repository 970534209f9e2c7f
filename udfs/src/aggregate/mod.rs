//! Aggregate functions: adapters between Arrow and the pure rooms.
