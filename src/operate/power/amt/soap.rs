//! WS-Management as text: what is asked → an envelope, an envelope → what was answered.
//!
//! **Invariant:** no socket, no clock, no randomness: the number of a message is given. Whatever is
//! written into XML is escaped; nothing is read without its namespace.

use roxmltree::{Document, Node};

const SOAP: &str = "http://www.w3.org/2003/05/soap-envelope";
const ADDRESSING: &str = "http://schemas.xmlsoap.org/ws/2004/08/addressing";
const ANONYMOUS: &str = "http://schemas.xmlsoap.org/ws/2004/08/addressing/role/anonymous";
const WSMAN: &str = "http://schemas.dmtf.org/wbem/wsman/1/wsman.xsd";
const TRANSFER: &str = "http://schemas.xmlsoap.org/ws/2004/09/transfer";

/// A selector: which instance of a resource is meant.
pub(super) type Selector = (&'static str, &'static str);

/// Something that is asked of a device.
pub(super) struct Call {
    /// The resource's URI, which is the namespace of its elements too.
    pub(super) resource: &'static str,
    pub(super) selector: Option<Selector>,
    pub(super) verb: Verb,
}

pub(super) enum Verb {
    Get,
    /// The element and its children, as name and text.
    Put(&'static str, Vec<(String, String)>),
    /// A method and its input, in order.
    Invoke(&'static str, Vec<(&'static str, Input)>),
}

/// An argument of a method.
pub(super) enum Input {
    Number(u16),
    /// Another resource, by its URI and selector.
    Reference(&'static str, Selector),
}

impl Call {
    /// The envelope, to a URI and with a number that no other message has.
    pub(super) fn envelope(&self, to: &str, id: &str) -> String {
        let action = match &self.verb {
            Verb::Get => format!("{TRANSFER}/Get"),
            Verb::Put(..) => format!("{TRANSFER}/Put"),
            Verb::Invoke(method, _) => format!("{}/{method}", self.resource),
        };
        let selectors = self.selector.map(selector_set).unwrap_or_default();
        let body = match &self.verb {
            Verb::Get => String::new(),
            Verb::Put(element, fields) => {
                let fields: String = fields.iter().map(|(name, text)| format!("<r:{name}>{}</r:{name}>", escaped(text))).collect();
                format!("<r:{element}>{fields}</r:{element}>")
            }
            Verb::Invoke(method, inputs) => {
                let inputs: String = inputs.iter().map(|(name, input)| format!("<r:{name}>{}</r:{name}>", input.text())).collect();
                format!("<r:{method}_INPUT>{inputs}</r:{method}_INPUT>")
            }
        };
        let (to, id, resource) = (escaped(to), escaped(id), self.resource);
        format!(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\
             <s:Envelope xmlns:s=\"{SOAP}\" xmlns:a=\"{ADDRESSING}\" xmlns:w=\"{WSMAN}\" xmlns:r=\"{resource}\">\
             <s:Header><a:Action s:mustUnderstand=\"true\">{action}</a:Action><a:To s:mustUnderstand=\"true\">{to}</a:To>\
             <w:ResourceURI s:mustUnderstand=\"true\">{resource}</w:ResourceURI>\
             <a:MessageID s:mustUnderstand=\"true\">uuid:{id}</a:MessageID>\
             <a:ReplyTo><a:Address>{ANONYMOUS}</a:Address></a:ReplyTo>{selectors}</s:Header><s:Body>{body}</s:Body></s:Envelope>"
        )
    }
}

impl Input {
    fn text(&self) -> String {
        match self {
            Input::Number(number) => number.to_string(),
            Input::Reference(resource, selector) => format!(
                "<a:Address>{ANONYMOUS}</a:Address><a:ReferenceParameters><w:ResourceURI>{resource}</w:ResourceURI>{}</a:ReferenceParameters>",
                selector_set(*selector)
            ),
        }
    }
}

fn selector_set((name, value): Selector) -> String {
    format!("<w:SelectorSet><w:Selector Name=\"{}\">{}</w:Selector></w:SelectorSet>", escaped(name), escaped(value))
}

/// Text in XML; characters that XML cannot hold go.
fn escaped(text: &str) -> String {
    let mut out = String::new();
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            c if c.is_control() && !matches!(c, '\n' | '\t') => {}
            c => out.push(c),
        }
    }
    out
}

/// What a device answered.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Answer {
    /// The first element of the body: its name, and its children that hold text.
    Element { name: String, fields: Vec<(String, String)> },
    /// It refuses, in its words.
    Fault(String),
}

impl Answer {
    /// Reads an envelope whose body holds an element of `resource`; the error says what was found instead.
    pub(super) fn read(text: &str, resource: &str) -> Result<Answer, String> {
        let document = Document::parse(text).map_err(|error| format!("no XML ({error})"))?;
        let root = document.root_element();
        if !root.has_tag_name((SOAP, "Envelope")) {
            return Err(format!("a <{}> where a SOAP envelope belongs", plain(root.tag_name().name())));
        }
        let body = child(root, SOAP, "Body").ok_or("an envelope without a body")?;
        let element = body.children().find(Node::is_element).ok_or("an envelope with an empty body")?;
        if element.has_tag_name((SOAP, "Fault")) {
            return Ok(Answer::Fault(fault(element)));
        }
        if element.tag_name().namespace() != Some(resource) {
            return Err(format!("a <{}> of another namespace", plain(element.tag_name().name())));
        }
        let own = element.children().filter(|node| node.is_element() && node.tag_name().namespace() == Some(resource));
        // What holds elements itself, such as a reference, is nothing that we read.
        let flat = own.filter(|node| !node.children().any(|child| child.is_element()));
        let fields = flat.map(|node| (node.tag_name().name().to_owned(), node.text().unwrap_or("").trim().to_owned()));
        Ok(Answer::Element { name: element.tag_name().name().to_owned(), fields: fields.collect() })
    }
}

fn child<'a, 'i>(node: Node<'a, 'i>, namespace: &str, name: &str) -> Option<Node<'a, 'i>> {
    node.children().find(|node| node.has_tag_name((namespace, name)))
}

/// The words of a fault, and its code.
fn fault(node: Node) -> String {
    let text = |path: &[&str]| {
        let found = path.iter().try_fold(node, |node, name| child(node, SOAP, name));
        found.and_then(|node| node.text()).map(plain).filter(|text| !text.is_empty())
    };
    let code = text(&["Code", "Subcode", "Value"]).or_else(|| text(&["Code", "Value"]));
    match (text(&["Reason", "Text"]), code) {
        (Some(reason), Some(code)) => format!("{reason} ({code})"),
        (Some(words), None) | (None, Some(words)) => words,
        (None, None) => "no reason".into(),
    }
}

/// What comes from the wire, short and without control characters.
fn plain(text: &str) -> String {
    const CHARS_MAX: usize = 200;
    text.trim().chars().map(|c| if c.is_control() { ' ' } else { c }).take(CHARS_MAX).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const R: &str = "http://example.org/R";

    fn read(body: &str) -> Result<Answer, String> {
        Answer::read(&format!("<e:Envelope xmlns:e=\"{SOAP}\" xmlns:g=\"{R}\"><e:Header/><e:Body>{body}</e:Body></e:Envelope>"), R)
    }

    #[test]
    fn what_is_written_is_escaped_and_can_be_read() {
        let fields = vec![("ElementName".to_owned(), "a<b>&\"c\"\u{1b}".to_owned())];
        let call = Call { resource: R, selector: Some(("InstanceID", "Intel(r) AMT:BootSettingData 0")), verb: Verb::Put("R", fields) };
        let text = call.envelope("http://10.0.0.1:16992/wsman", "1");
        let element = Answer::Element { name: "R".into(), fields: vec![("ElementName".into(), "a<b>&\"c\"".into())] };
        assert_eq!(Answer::read(&text, R), Ok(element));
        assert!(text.contains("<w:Selector Name=\"InstanceID\">Intel(r) AMT:BootSettingData 0</w:Selector>"), "{text}");
    }

    #[test]
    fn answers_that_are_none_say_what_they_are() {
        let value = read("<g:X_OUTPUT><g:ReturnValue> 0 </g:ReturnValue><g:Job><g:Y>1</g:Y></g:Job><z>1</z></g:X_OUTPUT>").unwrap();
        assert_eq!(value, Answer::Element { name: "X_OUTPUT".into(), fields: vec![("ReturnValue".into(), "0".into())] });
        assert_eq!(read("").unwrap_err(), "an envelope with an empty body");
        assert_eq!(read("<X/>").unwrap_err(), "a <X> of another namespace");
        assert_eq!(Answer::read("<html/>", R).unwrap_err(), "a <html> where a SOAP envelope belongs");
        assert!(Answer::read("<e:Envelope", R).unwrap_err().starts_with("no XML ("));
        // A bomb of entities is refused with the whole document type.
        assert!(Answer::read("<!DOCTYPE a [<!ENTITY b \"c\">]><a>&b;</a>", R).unwrap_err().starts_with("no XML ("));
        let fault = "<e:Fault><e:Code><e:Value>e:Sender</e:Value><e:Subcode><e:Value>w:AccessDenied</e:Value></e:Subcode></e:Code>\
                     <e:Reason><e:Text>The sender was\u{9f} not authorized.</e:Text></e:Reason></e:Fault>";
        assert_eq!(read(fault), Ok(Answer::Fault("The sender was  not authorized. (w:AccessDenied)".into())));
    }
}
