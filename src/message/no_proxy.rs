//! The hosts that bypass a proxy: a list in the form of `NO_PROXY`, as Go and curl read it.

use std::net::IpAddr;

use url::{Host, Url};

use crate::error::{Error, ErrorKind, Result};
use crate::wire::framing::decimal;

/// The hosts that bypass a proxy.
#[derive(Clone, Debug, Default)]
pub(crate) struct NoProxy(Vec<Exception>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Exception {
    Everything,
    /// A name, without dots around it, and those below it; or only those.
    Name {
        name: String,
        only_below: bool,
        port: Option<u16>,
    },
    Address {
        ip: IpAddr,
        port: Option<u16>,
    },
    /// The addresses that share this prefix, in bits.
    Net {
        ip: IpAddr,
        bits: u32,
    },
}

impl NoProxy {
    fn entries(list: &str) -> impl Iterator<Item = &str> {
        list.split([',', ' ', '\t']).filter(|entry| !entry.is_empty())
    }

    /// Those that have a meaning: a variable is for many programs, and some know more forms. As in
    /// Go and curl the others mean nothing.
    pub(crate) fn parse_known(list: &str) -> NoProxy {
        NoProxy(NoProxy::entries(list).filter_map(Exception::parse).collect())
    }

    pub(crate) fn parse(list: &str) -> Result<NoProxy> {
        let mut exceptions = Vec::new();
        for entry in NoProxy::entries(list) {
            exceptions.push(Exception::parse(entry).ok_or_else(|| {
                let what = format!("{entry:?} is no host, address or prefix that goes without a proxy");
                Error::new(ErrorKind::InvalidRequest, what)
            })?);
        }
        Ok(NoProxy(exceptions))
    }

    pub(crate) fn matches(&self, url: &Url) -> bool {
        self.0.iter().any(|exception| exception.is(url))
    }
}

impl Exception {
    fn parse(entry: &str) -> Option<Exception> {
        if entry == "*" {
            return Some(Exception::Everything);
        }
        if let Some((net, bits)) = entry.split_once('/') {
            let ip: IpAddr = net.parse().ok()?;
            let bits = u32::from(number(bits)?);
            return (bits <= width(ip)).then_some(Exception::Net { ip, bits });
        }
        if let Ok(ip) = entry.parse::<IpAddr>() {
            return Some(Exception::Address { ip: ip.to_canonical(), port: None });
        }
        let (host, port) = match entry.rsplit_once(':') {
            Some((host, port)) if !entry.ends_with(']') => (host, Some(number(port)?)),
            _ => (entry, None),
        };
        let below = host.strip_prefix("*.").or(host.strip_prefix('.'));
        let host = below.unwrap_or(host);
        if host.as_bytes().contains(&b'*') {
            return None;
        }
        match Host::parse(host.strip_suffix('.').unwrap_or(host)).ok()? {
            Host::Domain(name) => Some(Exception::Name { name, only_below: below.is_some(), port }),
            Host::Ipv4(ip) => Some(Exception::Address { ip: ip.into(), port }),
            Host::Ipv6(ip) => Some(Exception::Address { ip: IpAddr::V6(ip).to_canonical(), port }),
        }
    }

    fn is(&self, url: &Url) -> bool {
        let is_port = |port: &Option<u16>| port.is_none_or(|port| url.port_or_known_default() == Some(port));
        let ip = match url.host() {
            Some(Host::Ipv4(ip)) => Some(IpAddr::V4(ip)),
            Some(Host::Ipv6(ip)) => Some(IpAddr::V6(ip).to_canonical()),
            Some(Host::Domain(_)) | None => None,
        };
        match (self, ip) {
            (Exception::Everything, _) => true,
            (Exception::Address { ip, port }, Some(host)) => *ip == host && is_port(port),
            (Exception::Net { ip, bits }, Some(host)) => shares(*ip, host, *bits),
            (Exception::Name { name, only_below, port }, None) => {
                let host = url.host_str().unwrap_or_default();
                let host = host.strip_suffix('.').unwrap_or(host);
                let above = host.strip_suffix(name.as_str());
                above.is_some_and(|above| above.ends_with('.') || above.is_empty() && !only_below) && is_port(port)
            }
            _ => false,
        }
    }
}

/// A number of digits only.
fn number(text: &str) -> Option<u16> {
    u16::try_from(decimal(text.as_bytes())?).ok()
}

fn width(ip: IpAddr) -> u32 {
    if ip.is_ipv4() { 32 } else { 128 }
}

/// Whether two addresses of one family begin with the same `bits`.
fn shares(one: IpAddr, other: IpAddr, bits: u32) -> bool {
    let differs = match (one, other) {
        (IpAddr::V4(one), IpAddr::V4(other)) => u128::from(u32::from(one) ^ u32::from(other)),
        (IpAddr::V6(one), IpAddr::V6(other)) => u128::from(one) ^ u128::from(other),
        _ => return false,
    };
    differs.checked_shr(width(one) - bits).unwrap_or(0) == 0
}
