//! Scalar functions: adapters between Arrow and the pure rooms.
