//! Parameters: `$name` in SQL, a typed value here.

use std::collections::BTreeMap;
use std::fmt;

use crate::error::{Error, Result};

/// A typed parameter value.
#[derive(Debug, Clone, PartialEq)]
pub enum Literal {
    /// A whole number.
    Integer(i64),
    /// A floating-point number, finite.
    Float(f64),
    /// A truth value.
    Boolean(bool),
    /// Text.
    Text(String),
    /// A date or time, as SQL reads it.
    Timestamp(String),
}

impl Literal {
    /// As `--param` reads it.
    fn typed(&self) -> String {
        match self {
            Self::Text(text) | Self::Timestamp(text) => text.clone(),
            other => other.to_string(),
        }
    }

    fn type_name(&self) -> &'static str {
        match self {
            Self::Integer(_) => "a whole number",
            Self::Float(_) => "a number",
            Self::Boolean(_) => "true or false",
            Self::Text(_) => "text",
            Self::Timestamp(_) => "a date and time",
        }
    }

    /// Reads `text` as a value of the same type as `self`.
    fn parse_like(&self, text: &str) -> Option<Self> {
        Some(match self {
            Self::Integer(_) => Self::Integer(text.parse().ok()?),
            Self::Float(_) => Self::Float(finite(text)?),
            Self::Boolean(_) => Self::Boolean(text.parse().ok()?),
            Self::Text(_) => Self::Text(text.to_owned()),
            Self::Timestamp(_) => {
                let time: toml::value::Datetime = text.parse().ok()?;
                time.date.map(|_| Self::Timestamp(text.to_owned()))?
            }
        })
    }

    /// Reads `text` as the narrowest type that keeps it, where no default says the type: `007` and
    /// numbers beyond 64 bits stay text.
    fn infer(text: &str) -> Self {
        let digits = text.strip_prefix('-').unwrap_or(text);
        let number = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
        let changed = digits.len() > 1 && digits.starts_with('0') || text.parse::<i64>().is_err();
        if number && changed {
            return Self::Text(text.to_owned());
        }
        let candidates = [Self::Integer(0), Self::Float(0.0), Self::Boolean(false)];
        candidates
            .iter()
            .find_map(|like| like.parse_like(text))
            .unwrap_or_else(|| Self::Text(text.to_owned()))
    }

    fn from_toml(name: &str, value: &toml::Value) -> Result<Self> {
        Ok(match value {
            toml::Value::Integer(value) => Self::Integer(*value),
            toml::Value::Float(value) if value.is_finite() => Self::Float(*value),
            toml::Value::Boolean(value) => Self::Boolean(*value),
            toml::Value::String(value) => Self::Text(value.clone()),
            toml::Value::Datetime(value) if value.date.is_some() => {
                Self::Timestamp(value.to_string())
            }
            other => {
                return Err(Error::configuration(format!(
                    "parameter `{name}` in [params] cannot be {other}; allowed are finite numbers, text, true or false, and dates"
                )));
            }
        })
    }
}

fn finite(text: &str) -> Option<f64> {
    text.parse().ok().filter(|value: &f64| value.is_finite())
}

impl fmt::Display for Literal {
    /// As a SQL literal.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Integer(value) => write!(f, "{value}"),
            Self::Float(value) => write!(f, "{value:?}"),
            Self::Boolean(value) => write!(f, "{value}"),
            Self::Text(value) => write!(f, "'{}'", value.replace('\'', "''")),
            Self::Timestamp(value) => write!(f, "TIMESTAMP '{value}'"),
        }
    }
}

/// Where a parameter's value came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ParamOrigin {
    /// `[params]` of the configuration file.
    Configuration,
    /// `--param`.
    CommandLine,
}

impl fmt::Display for ParamOrigin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Configuration => "configuration",
            Self::CommandLine => "command line",
        })
    }
}

/// A parameter's value and where it came from.
#[derive(Debug, Clone, PartialEq)]
pub struct Param {
    /// The value.
    pub value: Literal,
    /// Its origin.
    pub origin: ParamOrigin,
}

/// All parameters of a run.
#[derive(Debug, Clone, Default)]
pub struct Params {
    values: BTreeMap<String, Param>,
    /// `--param` names without a default: they must be used by some statement.
    undeclared: Vec<String>,
    /// `--param` values that do not fit the type of their default. Reported when the run starts,
    /// so that the failed run is on record.
    mistyped: Vec<(String, String, Literal)>,
}

impl Params {
    pub(super) fn new(
        defaults: BTreeMap<String, toml::Value>,
        overrides: Vec<(String, String)>,
    ) -> Result<Self> {
        let mut params = Self::default();
        for (name, value) in defaults {
            let value = Literal::from_toml(&name, &value)?;
            params.values.insert(name, Param { value, origin: ParamOrigin::Configuration });
        }
        let defaults = params.values.clone();
        for (name, text) in overrides {
            let value = match defaults.get(&name) {
                None => {
                    params.undeclared.push(name.clone());
                    Literal::infer(&text)
                }
                Some(default) => match default.value.parse_like(&text) {
                    Some(value) => value,
                    None => {
                        params.mistyped.push((name, text, default.value.clone()));
                        continue;
                    }
                },
            };
            params.values.insert(name, Param { value, origin: ParamOrigin::CommandLine });
        }
        Ok(params)
    }

    /// The value of `$name`.
    pub fn get(&self, name: &str) -> Option<&Param> {
        self.values.get(name)
    }

    /// Names given by `--param` alone, without a default.
    pub fn undeclared(&self) -> &[String] {
        &self.undeclared
    }

    /// All parameters by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Param)> {
        self.values.iter().map(|(name, param)| (name.as_str(), param))
    }

    /// An error where a `--param` does not fit the type of its default.
    pub fn check_types(&self) -> Result<()> {
        match self.mistyped.first() {
            None => Ok(()),
            Some((name, got, default)) => Err(Error::configuration(format!(
                "parameter `{name}` must be {} like its default {}, got `{got}`",
                default.type_name(),
                default.typed()
            ))
            .with_hint(format!("for example `--param {name}={}`", default.typed()))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn params(defaults: &str, overrides: &[(&str, &str)]) -> Params {
        let overrides = overrides.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect();
        Params::new(toml::from_str(defaults).unwrap(), overrides).unwrap()
    }

    fn params_of(overrides: &[(&str, &str)]) -> Vec<String> {
        params("", overrides).iter().map(|(_, param)| param.value.to_string()).collect()
    }

    #[test]
    fn a_default_gives_the_type() {
        let params = params("rate = 0.5\nname = \"a\"", &[("rate", "1"), ("name", "2")]);
        assert_eq!(params.get("rate").unwrap().value, Literal::Float(1.0));
        assert_eq!(params.get("name").unwrap().value, Literal::Text("2".into()));
        params.check_types().unwrap();
    }

    #[test]
    fn without_a_default_the_narrowest_type_is_taken() {
        let params = params("", &[("a", "1"), ("b", "1.5"), ("c", "true"), ("d", "x'y")]);
        let shown: Vec<_> = params.iter().map(|(_, p)| p.value.to_string()).collect();
        assert_eq!(shown, ["1", "1.5", "true", "'x''y'"]);
        let kept =
            params_of(&[("a", "007"), ("b", "9223372036854775808"), ("c", "-5"), ("d", "0")]);
        assert_eq!(kept, ["'007'", "'9223372036854775808'", "-5", "0"]);
    }

    #[test]
    fn a_mistyped_value_is_an_error_with_an_example() {
        let error = params("trees = 100", &[("trees", "many")]).check_types().unwrap_err();
        assert_eq!(
            error.message(),
            "parameter `trees` must be a whole number like its default 100, got `many`"
        );
        assert_eq!(error.hint(), Some("for example `--param trees=100`"));
    }
}
