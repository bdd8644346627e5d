//! What was perhaps meant by parts of a query that was understood and found nothing. Nothing that is stored is looked at.

use super::super::language::{Field, Literal, Node, Operand, Operator, Query, Test, is_joint};

/// One sentence for each part that is often meant otherwise.
pub(super) fn remarks(query: &Query) -> Vec<String> {
    let mut told = Vec::new();
    add(&query.root, &mut told);
    told.truncate(MAX_REMARKS);
    told
}

fn add(node: &Node, told: &mut Vec<String>) {
    let remark = match node {
        Node::And(nodes) | Node::Or(nodes) => return nodes.iter().for_each(|node| add(node, told)),
        Node::Text(Literal::Bare(word)) if is_joint(word) => {
            format!("`{word}` was looked for as a word; conditions are joined by AND, OR and NOT in capital letters")
        }
        Node::Text(Literal::Bare(word)) if is_trace_id(word) => {
            format!("`{word}` was looked for as a word; what belongs to a trace is found by trace:{word}")
        }
        Node::Test(Test { field: Field::Name, operator: Operator::Is, operand: Operand::Text(values) }) => match values.as_slice() {
            [Literal::Bare(name)] => format!("name:{name} asks for the whole name; names that hold it are found by name:*{name}*"),
            _ => return,
        },
        _ => return,
    };
    told.push(remark);
}

fn is_trace_id(word: &str) -> bool {
    word.len() == 32 && word.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// Of one query.
const MAX_REMARKS: usize = 4;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::Signal;

    #[test]
    fn what_is_often_meant_otherwise_is_told() {
        let of = |text: &str| remarks(&Query::parse(Signal::Traces, text).unwrap());
        assert_eq!(of("this or that"), ["`or` was looked for as a word; conditions are joined by AND, OR and NOT in capital letters"]);
        let id = "5b8efff798038103d269b633813fc60c";
        assert_eq!(of(id), [format!("`{id}` was looked for as a word; what belongs to a trace is found by trace:{id}")]);
        let whole = "name:pay asks for the whole name; names that hold it are found by name:*pay*";
        assert_eq!(of("service:a (name:pay OR status:error)"), [whole]);
        for text in ["name:\"GET /\"", "name:*pay*", "name:a,b", "-name:pay", "name!=pay", "order"] {
            assert_eq!(of(text), Vec::<String>::new(), "{text}");
        }
    }
}
