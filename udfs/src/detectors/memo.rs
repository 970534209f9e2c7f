//! What follows from a model and is kept once it has been asked for.

use std::sync::OnceLock;

/// A value that follows from the rest of its owner, computed when it is first asked for. It is no
/// part of what its owner is: owners are equal with and without it.
#[derive(Debug, Clone)]
pub(super) struct Memo<T>(OnceLock<T>);

impl<T> Memo<T> {
    pub(super) fn get(&self, compute: impl FnOnce() -> T) -> &T {
        self.0.get_or_init(compute)
    }
}

impl<T> Default for Memo<T> {
    fn default() -> Self {
        Self(OnceLock::new())
    }
}

impl<T> PartialEq for Memo<T> {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_computed_once_and_no_part_of_its_owner() {
        let memo = Memo::default();
        assert_eq!((memo.get(|| 1), memo.get(|| 2)), (&1, &1));
        assert_eq!(memo, Memo::default());
    }
}
