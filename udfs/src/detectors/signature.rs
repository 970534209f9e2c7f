//! The named features of a model.

use std::collections::HashSet;
use std::fmt;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::wire::{Reader, WireError, put_block};

/// Most features of a model.
pub const MAX_FEATURES: usize = u16::MAX as usize;

/// Why a list of features is not usable.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum SignatureError {
    /// No features.
    #[error("a model needs at least one feature")]
    Empty,
    /// More than a model can hold.
    #[error("a model has at most {MAX_FEATURES} features, got {0}")]
    TooMany(usize),
    /// Two features of one name.
    #[error("feature `{0}` is given twice")]
    Duplicate(String),
}

/// What values a feature takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FeatureKind {
    /// Any number; compared as `f64`.
    Number,
    /// A truth value; false is 0, true is 1.
    Boolean,
    /// An instant or a date; compared as seconds since 1970 in UTC.
    Timestamp,
    /// A category, known by its text.
    Text,
}

impl FeatureKind {
    const ALL: [Self; 4] = [Self::Number, Self::Boolean, Self::Timestamp, Self::Text];

    /// Its name: `number`, `boolean`, `timestamp`, `text`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Number => "number",
            Self::Boolean => "boolean",
            Self::Timestamp => "timestamp",
            Self::Text => "text",
        }
    }
}

impl fmt::Display for FeatureKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A column of the training data.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Feature {
    /// Its name, by which scoring finds it.
    pub name: String,
    /// Its kind.
    pub kind: FeatureKind,
}

/// The features of a model in the order of its columns: at least one, names unique.
///
/// Its text form is `name:kind` separated by commas, where a backslash stands before each
/// backslash, colon and comma of a name: `ln_bytes:number,is_tcp:boolean`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signature(Vec<Feature>);

impl Signature {
    /// Checks a list of features.
    pub fn new(features: Vec<Feature>) -> Result<Self, SignatureError> {
        if features.is_empty() {
            return Err(SignatureError::Empty);
        }
        if features.len() > MAX_FEATURES {
            return Err(SignatureError::TooMany(features.len()));
        }
        let mut names = HashSet::new();
        match features.iter().find(|feature| !names.insert(&feature.name)) {
            Some(feature) => Err(SignatureError::Duplicate(feature.name.clone())),
            None => Ok(Self(features)),
        }
    }

    /// The features in order.
    pub fn features(&self) -> &[Feature] {
        &self.0
    }

    /// Reads the text form; None where it is not one.
    pub fn parse(text: &str) -> Option<Self> {
        let mut features = vec![];
        let mut name = String::new();
        let mut rest = text.chars();
        while let Some(c) = rest.next() {
            match c {
                '\\' => name.push(rest.next()?),
                ':' => {
                    let kind: String = rest.by_ref().take_while(|c| *c != ',').collect();
                    let kind = FeatureKind::ALL.into_iter().find(|k| k.as_str() == kind)?;
                    features.push(Feature { name: std::mem::take(&mut name), kind });
                }
                ',' => return None,
                _ => name.push(c),
            }
        }
        if name.is_empty() { Self::new(features).ok() } else { None }
    }

    /// Appends the canonical encoding.
    pub(crate) fn encode(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&(self.0.len() as u16).to_le_bytes());
        for feature in &self.0 {
            out.push(feature.kind as u8);
            put_block(out, feature.name.as_bytes());
        }
    }

    pub(super) fn decode(reader: &mut Reader<'_>) -> Result<Self, WireError> {
        let count = reader.u16()?;
        let mut features = vec![];
        for _ in 0..count {
            let kind = FeatureKind::ALL
                .get(usize::from(reader.u8()?))
                .copied()
                .ok_or(WireError::Invalid("a feature is of unknown kind"))?;
            features.push(Feature { name: reader.text()?.to_owned(), kind });
        }
        Self::new(features).map_err(|_| WireError::Invalid("its features are none or repeated"))
    }
}

impl fmt::Display for Signature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, feature) in self.0.iter().enumerate() {
            if at > 0 {
                f.write_str(",")?;
            }
            for c in feature.name.chars() {
                if matches!(c, '\\' | ':' | ',') {
                    f.write_str("\\")?;
                }
                write!(f, "{c}")?;
            }
            write!(f, ":{}", feature.kind)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn the_text_form_is_unambiguous(names in proptest::collection::hash_set("[a,:\\\\é ]{0,4}", 1..6)) {
            let features = names.into_iter().enumerate().map(|(at, name)| Feature {
                name,
                kind: FeatureKind::ALL[at % 4],
            });
            let signature = Signature::new(features.collect()).unwrap();
            prop_assert_eq!(Signature::parse(&signature.to_string()), Some(signature));
        }

        #[test]
        fn any_text_parses_or_not(text in "[a,:\\\\]{0,8}(number)?") {
            let _ = Signature::parse(&text);
        }
    }

    #[test]
    fn duplicates_and_nothing_are_refused() {
        let feature = |name: &str| Feature { name: name.into(), kind: FeatureKind::Number };
        assert_eq!(
            Signature::new(vec![feature("a"), feature("a")]).unwrap_err().to_string(),
            "feature `a` is given twice"
        );
        assert!(Signature::new(vec![]).is_err());
        assert_eq!(Signature::new(vec![feature("a")]).unwrap().to_string(), "a:number");
    }
}
