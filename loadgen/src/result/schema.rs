//! Checks a JSON value against a schema of the few keywords that ours use.
//!
//! Invariant: an unknown keyword is a panic, so that a schema can't promise what is not checked.

use serde_json::Value;

/// Everything in `value` that `schema` does not allow, each with its place.
///
/// # Panics
/// If the schema has a keyword that is not known here.
pub fn faults(schema: &Value, value: &Value) -> Vec<String> {
    let mut found = Vec::new();
    check(schema, value, "", &mut found);
    found
}

fn check(schema: &Value, value: &Value, place: &str, found: &mut Vec<String>) {
    let keywords = schema.as_object().expect("a schema is an object");
    for (keyword, rule) in keywords {
        let is_fine = match keyword.as_str() {
            "$schema" | "title" | "description" | "properties" => true,
            "type" => match rule {
                Value::Array(types) => types.iter().any(|one| is_of(value, one)),
                one => is_of(value, one),
            },
            "enum" => rule.as_array().is_some_and(|allowed| allowed.contains(value)),
            "minimum" => value.as_f64().is_none_or(|number| number >= rule.as_f64().unwrap_or(f64::INFINITY)),
            "maximum" => value.as_f64().is_none_or(|number| number <= rule.as_f64().unwrap_or(f64::NEG_INFINITY)),
            "required" => {
                let names = rule.as_array().map_or(&[][..], Vec::as_slice);
                !value.is_object() || names.iter().filter_map(Value::as_str).all(|name| value.get(name).is_some())
            }
            "additionalProperties" => extras(schema, rule, value, place, found),
            "items" => {
                for (at, item) in value.as_array().into_iter().flatten().enumerate() {
                    check(rule, item, &format!("{place}/{at}"), found);
                }
                true
            }
            other => panic!("the checker does not know the keyword {other}"),
        };
        if !is_fine {
            found.push(format!("{place}: {keyword} {rule}, not {value}"));
        }
    }
    for (name, rule) in schema.get("properties").and_then(Value::as_object).into_iter().flatten() {
        if let Some(inner) = value.get(name) {
            check(rule, inner, &format!("{place}/{name}"), found);
        }
    }
}

/// Properties that the schema does not name: none are allowed, or those of one schema.
fn extras(schema: &Value, rule: &Value, value: &Value, place: &str, found: &mut Vec<String>) -> bool {
    let known = schema.get("properties").and_then(Value::as_object);
    let is_known = |name: &str| known.is_some_and(|known| known.contains_key(name));
    let mut are_fine = true;
    for (name, inner) in value.as_object().into_iter().flatten().filter(|(name, _)| !is_known(name)) {
        match rule {
            Value::Bool(allowed) => are_fine &= *allowed,
            rule => check(rule, inner, &format!("{place}/{name}"), found),
        }
    }
    are_fine
}

fn is_of(value: &Value, name: &Value) -> bool {
    match name.as_str() {
        Some("object") => value.is_object(),
        Some("array") => value.is_array(),
        Some("string") => value.is_string(),
        Some("integer") => value.is_i64() || value.is_u64(),
        Some("number") => value.is_number(),
        Some("boolean") => value.is_boolean(),
        Some("null") => value.is_null(),
        other => panic!("the checker does not know the type {other:?}"),
    }
}
