//! The types that a module's options may have: what a value is, what `min=` and `max=` bound.

/// A type of options.
#[derive(Debug)]
pub struct OptionType {
    pub name: &'static str,
    /// For “wants …”.
    pub wants: &'static str,
    /// What `min=` and `max=` are about; empty where they bound nothing.
    pub bounds: &'static str,
    /// A property that its declaration needs, with a value.
    pub needs: &'static str,
    /// A default as an author would write it; `required` where there can be none.
    pub default: &'static str,
    /// A line of a `use` block that sets an option called `x`.
    pub example: &'static str,
}

const fn plain(name: &'static str, wants: &'static str, default: &'static str, example: &'static str) -> OptionType {
    OptionType { name, wants, bounds: "", needs: "", default, example }
}

/// Every type, the frequent ones first.
pub const OPTION_TYPES: &[OptionType] = &[
    plain("bool", "`#true` or `#false`", "#false", "x #true"),
    OptionType { bounds: "the number", ..plain("int", "a whole number", "4", "x 8") },
    OptionType { bounds: "the characters", ..plain("string", "text", "\"quiet\"", "x \"some words\"") },
    OptionType { needs: "values=\"dark,light\"", ..plain("enum", "one of its words", "dark", "x light") },
    OptionType { bounds: "the duration", ..plain("duration", "a duration such as \"5m\"", "\"5m\"", "x \"1h30m\"") },
    plain("url", "a URL such as \"https://intra.example/\"", "\"https://intra.example/\"", "x \"https://start.example/\""),
    plain("ip", "an address such as \"10.0.0.9\"", "\"10.0.0.9\"", "x \"2001:db8::9\""),
    plain("cidr", "an address range such as \"10.0.0.0/24\"", "\"10.0.0.0/24\"", "x \"10.1.0.0/16\""),
    plain("mac", "a MAC such as \"52:54:00:12:34:56\"", "\"52:54:00:12:34:56\"", "x \"52-54-00-12-34-57\""),
    plain("path", "a path", "\"debian-12/vmlinuz\"", "x \"rescue/vmlinuz\""),
    plain("secret", "the name of a secret: (secret)name", "required", "x (secret)door"),
    OptionType { needs: "to=profile", ..plain("reference", "the name of a declared thing", "required", "x local") },
    OptionType { bounds: "the items", ..plain("list", "values, one behind the other", "#null", "x quiet \"console=tty0\"") },
    OptionType { bounds: "the blocks, behind `many`", ..plain("submodule", "a block of options", "many", "x left { width 5 }") },
];
