//! Every code that we may say, its severity, and its page.

/// An error keeps `out/` from being written, a warning does not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    Error,
    Warning,
}

impl Severity {
    pub fn name(self) -> &'static str {
        match self {
            Severity::Error => "error",
            Severity::Warning => "warning",
        }
    }
}

/// One code: its page holds a failing example, the reason and the mend.
#[derive(Debug)]
pub struct Code {
    pub name: &'static str,
    pub severity: Severity,
    pub page: &'static str,
}

macro_rules! codes {
    ($($severity:ident $name:literal)*) => {
        &[$(Code { name: $name, severity: Severity::$severity, page: include_str!(concat!("pages/", $name, ".md")) }),*]
    };
}

/// Sorted by stage, then by name within the family.
pub const CODES: &[Code] = codes! {
    Error "syntax/bare-keyword"
    Error "syntax/depth"
    Error "syntax/duplicate-property"
    Error "syntax/encoding"
    Error "syntax/kdl-1"
    Error "syntax/unexpected"
    Error "syntax/unquoted-address"
    Error "syntax/unterminated"
    Error "schema/missing"
    Error "schema/range"
    Error "schema/too-many"
    Error "schema/type"
    Error "schema/unknown-node"
    Error "schema/unknown-property"
    Error "eval/assertion"
    Error "eval/conflict"
    Warning "eval/empty-selector"
    Error "eval/expression"
    Error "eval/extends-cycle"
    Warning "eval/force-nothing"
    Error "eval/import-cycle"
    Error "eval/import-escape"
    Error "eval/import-missing"
    Error "eval/limit"
    Error "eval/option-removed"
    Warning "eval/option-renamed"
    Error "eval/option-required"
    Error "eval/option-type"
    Error "eval/undefined-name"
    Error "eval/unknown-module"
    Error "eval/unknown-reference"
    Error "eval/use-cycle"
    Warning "eval/warning"
    Error "host/bad-mac"
    Error "host/bad-name"
    Error "host/duplicate-address"
    Error "host/duplicate-mac"
    Error "host/duplicate-name"
    Error "host/multicast-mac"
    Error "host/unknown-profile"
    Error "host/unknown-schedule"
    Error "network/gateway"
    Error "network/gateway-clash"
    Error "network/host-bits"
    Warning "network/host-in-pool"
    Error "network/outside"
    Error "network/overlap"
    Error "network/pool-overlap"
    Error "network/pool-reversed"
    Warning "network/pool-too-small"
    Error "network/reserved-address"
    Error "dhcp/option-overflow"
    Warning "dhcp/reply-too-large"
    Error "boot/asset-changed"
    Error "boot/asset-missing"
    Error "boot/cmdline-long"
    Error "boot/default-not-entry"
    Error "boot/file-missing"
    Error "boot/file-twice"
    Error "boot/label-clash"
    Error "boot/loader-syntax"
    Error "boot/newline"
    Error "boot/no-default"
    Warning "boot/no-loader"
    Error "boot/no-start"
    Error "boot/path-escape"
    Error "boot/reserved-name"
    Error "boot/template"
    Warning "boot/tftp-size"
    Error "boot/two-starts"
    Error "boot/unknown-entry"
    Error "nfs/bad-path"
    Error "nfs/base-writable"
    Error "nfs/file-twice"
    Error "nfs/fsid-clash"
    Error "nfs/no-kernel"
    Warning "nfs/no-root"
    Error "nfs/no-server"
    Error "nfs/open-export"
    Error "nfs/overlay-in-base"
    Error "nfs/unknown-base"
    Error "nfs/unknown-overlay"
    Error "nfs/upper-on-nfs"
    Error "vm/bad-path"
    Error "vm/one-mac"
    Error "vm/unknown-snapshot"
    Error "dns/bad-name"
    Error "dns/cname-and-other"
    Error "dns/cname-loop"
    Error "dns/command-clash"
    Error "dns/command-from"
    Error "dns/command-name"
    Warning "dns/command-no-power"
    Error "dns/command-open"
    Warning "dns/command-outside"
    Error "dns/duplicate-record"
    Error "dns/forward-self"
    Error "dns/name-length"
    Error "dns/outside-zone"
    Warning "dns/reverse-mismatch"
    Error "dns/target-missing"
    Error "dns/ttl-mixed"
    Error "audit/bad-url"
    Error "audit/bad-user"
    Error "audit/half-login"
    Warning "audit/plain-http"
    Error "audit/same-sink"
    Warning "monitor/no-address"
    Warning "monitor/no-gateway"
    Error "monitor/on"
    Error "monitor/target"
    Error "monitor/twice"
    Error "alert/bad-mailbox"
    Error "alert/bad-server"
    Error "alert/bad-url"
    Error "alert/half-login"
    Warning "alert/no-check"
    Warning "alert/plain-password"
    Error "alert/same-sink"
    Error "ssh/on"
    Error "ssh/two"
    Error "ssh/user"
    Error "track/except"
    Error "track/nested"
    Warning "track/no-address"
    Error "track/on"
    Error "track/path"
    Error "page/from"
    Warning "page/open"
    Warning "page/outside"
    Error "page/port-clash"
    Error "rule/after"
    Error "rule/command"
    Error "rule/empty"
    Error "rule/file-clash"
    Error "rule/name"
    Warning "rule/no-address"
    Error "rule/no-check"
    Error "rule/on"
    Error "rule/path"
    Warning "rule/unknown-tag"
    Warning "engine/alias"
    Warning "engine/lease-short"
    Error "engine/line-long"
    Warning "engine/no-server"
    Warning "engine/pool-lease"
    Warning "engine/several-macs"
    Warning "engine/ttl"
    Error "secret/bad-file"
    Error "secret/leak"
    Error "secret/literal"
    Error "secret/unknown"
    Warning "secret/unused"
    Error "power/no-address"
    Warning "power/no-amt"
    Error "power/no-mac"
    Error "schedule/bad-day"
    Error "schedule/bad-time"
    Error "schedule/bad-zone"
    Warning "schedule/dst-gap"
    Warning "schedule/holidays-end"
    Warning "schedule/no-holidays"
    Warning "schedule/no-off"
    Error "schedule/no-power"
    Error "schedule/no-zone"
    Error "schedule/order"
    Error "schedule/overlap"
    Warning "schedule/unused"
};

pub fn find(name: &str) -> Option<&'static Code> {
    CODES.iter().find(|code| code.name == name)
}

/// The severity of a code; an unknown one is our bug, and an error is the careful answer.
pub fn severity(name: &str) -> Severity {
    debug_assert!(find(name).is_some(), "`{name}` has no line in diag/codes.rs");
    find(name).map_or(Severity::Error, |code| code.severity)
}

/// The page of a code, for `pxelator explain`.
pub fn explain(name: &str) -> Option<&'static str> {
    find(name).map(|code| code.page)
}
