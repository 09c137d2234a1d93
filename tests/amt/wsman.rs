//! The device's WS-Management: an envelope → what it asks, with every namespace and selector looked at; and
//! answers in the form that AMT gives them.

use roxmltree::{Document, Node};

const SOAP: &str = "http://www.w3.org/2003/05/soap-envelope";
const ADDRESSING: &str = "http://schemas.xmlsoap.org/ws/2004/08/addressing";
const ANONYMOUS: &str = "http://schemas.xmlsoap.org/ws/2004/08/addressing/role/anonymous";
const WSMAN: &str = "http://schemas.dmtf.org/wbem/wsman/1/wsman.xsd";
const TRANSFER: &str = "http://schemas.xmlsoap.org/ws/2004/09/transfer";
pub(super) const CIM: &str = "http://schemas.dmtf.org/wbem/wscim/1/cim-schema/2/";
pub(super) const AMT: &str = "http://intel.com/wbem/wscim/1/amt-schema/1/";

/// What is asked.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Asked {
    State,
    Change(u16),
    BootData,
    PutBootData(Vec<(String, String)>),
    /// The source's name; none clears the order.
    BootOrder(Option<String>),
    BootRole(u16),
}

/// Reads an envelope as strictly as the schema lets; the error is a fault's reason.
pub(super) fn read(text: &str, uri: &str, seen: &mut Vec<String>) -> Result<Asked, String> {
    let document = Document::parse(text).map_err(|error| error.to_string())?;
    let root = document.root_element();
    need(root.has_tag_name((SOAP, "Envelope")), "no SOAP 1.2 envelope")?;
    let (header, body) = (child(root, SOAP, "Header")?, child(root, SOAP, "Body")?);
    let head = |namespace, name| child(header, namespace, name).map(|node| node.text().unwrap_or("").to_owned());
    need(head(ADDRESSING, "To")? == uri, "To is another device")?;
    let id = head(ADDRESSING, "MessageID")?;
    need(!id.is_empty() && !seen.contains(&id), "MessageID was used before")?;
    seen.push(id);
    need(
        child(child(header, ADDRESSING, "ReplyTo")?, ADDRESSING, "Address")?.text() == Some(ANONYMOUS),
        "ReplyTo is not anonymous",
    )?;
    let (resource, action) = (head(WSMAN, "ResourceURI")?, head(ADDRESSING, "Action")?);
    let selector = selector(header)?;
    let verb = action
        .strip_prefix(&format!("{resource}/"))
        .or_else(|| action.strip_prefix(&format!("{TRANSFER}/")))
        .ok_or("an Action of another resource")?;
    let is = |name: &str| selector.as_ref().is_some_and(|(_, value)| value == name);
    let named = |wanted: &str| selector.as_ref().is_some_and(|(name, _)| name == wanted);
    let class = resource.strip_prefix(CIM).or_else(|| resource.strip_prefix(AMT)).ok_or("an unknown ResourceURI")?.to_owned();
    let input = |method: &str| child(body, &resource, &format!("{method}_INPUT"));
    match (class.as_str(), verb) {
        ("CIM_AssociatedPowerManagementService", "Get") => {
            need(selector.is_none(), "selectors where none belong")?;
            Ok(Asked::State)
        }
        ("CIM_PowerManagementService", "RequestPowerStateChange") => {
            need(named("Name") && is("Intel(r) AMT Power Management Service"), "wrong selectors")?;
            let input = input(verb)?;
            refers(child(input, &resource, "ManagedElement")?, &format!("{CIM}CIM_ComputerSystem"), "ManagedSystem")?;
            Ok(Asked::Change(number(child(input, &resource, "PowerState")?)?))
        }
        ("AMT_BootSettingData", "Get" | "Put") => {
            need(named("InstanceID") && is("Intel(r) AMT:BootSettingData 0"), "wrong selectors")?;
            if verb == "Get" {
                return Ok(Asked::BootData);
            }
            let data = child(body, &resource, "AMT_BootSettingData")?;
            let fields = data.children().filter(Node::is_element);
            let all = fields.map(|node| {
                need(node.tag_name().namespace() == Some(&*resource), "a field of another namespace")?;
                Ok((node.tag_name().name().to_owned(), node.text().unwrap_or("").to_owned()))
            });
            Ok(Asked::PutBootData(all.collect::<Result<_, String>>()?))
        }
        ("CIM_BootConfigSetting", "ChangeBootOrder") => {
            need(named("InstanceID") && is("Intel(r) AMT: Boot Configuration 0"), "wrong selectors")?;
            let Ok(source) = child(input(verb)?, &resource, "Source") else { return Ok(Asked::BootOrder(None)) };
            let names = ["Intel(r) AMT: Force PXE Boot", "Intel(r) AMT: Force Hard-drive Boot"];
            let name = names.iter().find(|name| refers(source, &format!("{CIM}CIM_BootSourceSetting"), name).is_ok());
            Ok(Asked::BootOrder(Some((*name.ok_or("an unknown boot source")?).to_owned())))
        }
        ("CIM_BootService", "SetBootConfigRole") => {
            need(named("Name") && is("Intel(r) AMT Boot Service"), "wrong selectors")?;
            let input = input(verb)?;
            let config = child(input, &resource, "BootConfigSetting")?;
            refers(config, &format!("{CIM}CIM_BootConfigSetting"), "Intel(r) AMT: Boot Configuration 0")?;
            Ok(Asked::BootRole(number(child(input, &resource, "Role")?)?))
        }
        _ => Err(format!("{class} has no {verb}")),
    }
}

fn need(good: bool, what: &str) -> Result<(), String> {
    if good { Ok(()) } else { Err(what.to_owned()) }
}

fn child<'a, 'i>(node: Node<'a, 'i>, namespace: &str, name: &str) -> Result<Node<'a, 'i>, String> {
    let mut all = node.children().filter(|node| node.has_tag_name((namespace, name)));
    let found = all.next().ok_or_else(|| format!("no {name} in its namespace"))?;
    need(all.next().is_none(), "an element stands twice")?;
    Ok(found)
}

/// The one selector of a header or a reference. PyPI's `amt` writes `wsman:Name` in references, and devices take it.
fn selector(node: Node) -> Result<Option<(String, String)>, String> {
    let Ok(set) = child(node, WSMAN, "SelectorSet") else { return Ok(None) };
    let selector = child(set, WSMAN, "Selector")?;
    let name = selector.attribute("Name").or_else(|| selector.attribute((WSMAN, "Name"))).ok_or("a selector without Name")?;
    Ok(Some((name.to_owned(), selector.text().unwrap_or("").to_owned())))
}

fn refers(node: Node, resource: &str, name: &str) -> Result<(), String> {
    need(child(node, ADDRESSING, "Address")?.text() == Some(ANONYMOUS), "a reference to elsewhere")?;
    let parameters = child(node, ADDRESSING, "ReferenceParameters")?;
    need(child(parameters, WSMAN, "ResourceURI")?.text() == Some(resource), "a reference to another resource")?;
    need(selector(parameters)?.is_some_and(|(_, value)| value == name), "a reference with other selectors")
}

fn number(node: Node) -> Result<u16, String> {
    node.text().unwrap_or("").parse().map_err(|_| "no number".to_owned())
}

/// An envelope as AMT writes it: prefixes of its own, and headers that nobody needs.
pub(super) fn envelope(resource: &str, element: &str, fields: &[(String, String)]) -> String {
    let fields: String = fields.iter().map(|(name, text)| format!("<g:{name}>{text}</g:{name}>")).collect();
    wrap(&format!("<g:{element} xmlns:g=\"{resource}\">{fields}</g:{element}>"), resource)
}

pub(super) fn fault(code: &str, reason: &str) -> String {
    let reason = reason.replace('<', " ");
    wrap(
        &format!(
            "<a:Fault><a:Code><a:Value>a:Sender</a:Value><a:Subcode><a:Value>{code}</a:Value></a:Subcode></a:Code>\
             <a:Reason><a:Text xml:lang=\"en-US\">{reason}</a:Text></a:Reason><a:Detail/></a:Fault>"
        ),
        "",
    )
}

fn wrap(body: &str, resource: &str) -> String {
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?><a:Envelope xmlns:a=\"{SOAP}\" xmlns:b=\"{ADDRESSING}\" xmlns:c=\"{WSMAN}\" \
         xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\"><a:Header><b:To>{ANONYMOUS}</b:To><b:RelatesTo>1</b:RelatesTo>\
         <b:Action a:mustUnderstand=\"true\">answer</b:Action><c:ResourceURI>{resource}</c:ResourceURI></a:Header><a:Body>{body}</a:Body></a:Envelope>"
    )
}
