//! A sum whose error does not grow with the number of terms.

/// Adds terms in the order given, and carries what rounding lost (Kahan 1965).
#[derive(Default)]
pub(super) struct CompensatedSum {
    total: f64,
    lost: f64,
}

impl CompensatedSum {
    pub(super) fn add(&mut self, term: f64) {
        let term = term - self.lost;
        let total = self.total + term;
        self.lost = (total - self.total) - term;
        self.total = total;
    }

    pub(super) fn total(&self) -> f64 {
        self.total
    }
}
