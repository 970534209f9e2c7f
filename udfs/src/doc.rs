//! What a SQL function says about itself. Every field is required: a test fails where one is
//! empty, and runs every example.

/// One argument of a SQL function.
#[derive(Debug, Clone, Copy)]
pub struct Argument {
    /// Name as shown in the syntax line.
    pub name: &'static str,
    /// Accepted SQL types.
    pub types: &'static str,
    /// Meaning, range, default, and whether it must be a literal.
    pub description: &'static str,
}

/// What kind of SQL function it is, which decides where it may stand in a query.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// One value per row.
    Scalar,
    /// One value per group of rows.
    Aggregate,
    /// A relation in the `FROM` clause.
    Table,
}

/// The reference documentation of one SQL function.
#[derive(Debug, Clone, Copy)]
pub struct FunctionDoc {
    /// SQL name.
    pub name: &'static str,
    /// Kind of function.
    pub kind: Kind,
    /// One sentence: what it computes.
    pub summary: &'static str,
    /// Call syntax, optional arguments in brackets.
    pub syntax: &'static str,
    /// Arguments in order.
    pub arguments: &'static [Argument],
    /// Type, range and meaning of the extremes.
    pub returns: &'static str,
    /// What NULL and NaN do.
    pub nulls: &'static str,
    /// Result for no rows and for a single class.
    pub empty: &'static str,
    /// Which inputs are errors.
    pub errors: &'static str,
    /// What the result depends on, and what it does not.
    pub determinism: &'static str,
    /// Size of the state and cost per row.
    pub cost: &'static str,
    /// A query that runs as it stands in a session with all functions registered.
    pub example: &'static str,
    /// Its result, one row per line, columns separated by one space, as the SQL tests print it.
    pub example_result: &'static str,
    /// Where the definition comes from: authors, year, section.
    pub source: &'static str,
    /// Related functions.
    pub related: &'static [&'static str],
    /// First version that has it.
    pub since: &'static str,
}

impl FunctionDoc {
    /// The documentation as a section of Markdown.
    pub fn to_markdown(&self) -> String {
        let kind = match self.kind {
            Kind::Scalar => "scalar",
            Kind::Aggregate => "aggregate",
            Kind::Table => "table function",
        };
        let mut text = format!(
            "## `{}`\n\n{} *({kind}, since {})*\n\n```sql\n{}\n```\n\n",
            self.name, self.summary, self.since, self.syntax
        );
        text.push_str("| argument | types | meaning |\n|---|---|---|\n");
        for Argument { name, types, description } in self.arguments {
            text.push_str(&format!(
                "| `{name}` | {types} | {} |\n",
                description.replace('|', "\\|")
            ));
        }
        text.push('\n');
        for (title, content) in [
            ("Returns", self.returns),
            ("NULL and NaN", self.nulls),
            ("No rows, one class", self.empty),
            ("Errors", self.errors),
            ("Determinism", self.determinism),
            ("State and cost", self.cost),
            ("Source", self.source),
        ] {
            text.push_str(&format!("- **{title}:** {content}\n"));
        }
        let related: Vec<_> =
            self.related.iter().map(|name| format!("[`{name}`](#{name})")).collect();
        text.push_str(&format!("- **Related:** {}\n\n", related.join(", ")));
        text.push_str(&format!(
            "```sql\n{};\n-- {}\n```\n",
            self.example,
            self.example_result.replace('\n', "\n-- ")
        ));
        text
    }
}
