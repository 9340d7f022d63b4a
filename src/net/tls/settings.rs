//! The public settings of TLS: what is trusted, what the client shows of itself, which versions.
//!
//! A [`Tls`] is a plain value until it is first needed; only then is rustls's configuration made of
//! it, since reading the platform's trust store takes a while. Whatever can be known before that is
//! an error when the value is made, or of [`Tls::check`]. Nothing here touches a socket.

use std::fmt;
use std::sync::{Arc, OnceLock};

use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::CertificateDer;
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls::version::TLS13;
use rustls::{ALL_VERSIONS, ClientConfig, InconsistentKeys, KeyLogFile, RootCertStore, SupportedProtocolVersion};

use crate::error::{Error, ErrorKind, Result};
use crate::net::tls::verify::{self, ExplainingVerifier, Leaf, LeafVerifier, Names, Verifier};
use crate::net::tls::{describe, pem};
use crate::observe::next_id;
use crate::tls_info::{ALPN, TlsVersion};

/// A set of root certificates, chosen with [`Tls::roots`].
///
/// A feature of this crate makes a set available; only the setting chooses it.
///
/// ```
/// use longwire::Roots;
///
/// let default = if cfg!(feature = "tls") { Roots::Platform } else { Roots::Bundled };
/// assert_eq!(Roots::default(), default);
/// ```
#[doc(alias = "RootCerts")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Roots {
    /// The platform's trust store: what the administrator and the system's updates have put there.
    /// Needs the feature `tls`, and is the default with it.
    ///
    /// On Linux and the BSDs the environment variables `SSL_CERT_FILE` and `SSL_CERT_DIR` name another
    /// one, as for OpenSSL.
    Platform,
    /// Mozilla's root certificates, compiled into the program: for images without a trust store. They
    /// are as old as the `webpki-roots` crate that the program was built with. Needs the feature
    /// `tls-webpki-roots`, and is the default without the feature `tls`.
    Bundled,
    /// None but those of [`Tls::add_root`].
    None,
}

impl Default for Roots {
    fn default() -> Roots {
        if cfg!(feature = "tls") { Roots::Platform } else { Roots::Bundled }
    }
}

/// How a client does TLS: which certificates it trusts, its own certificate, and the versions.
///
/// Give it to [`ClientBuilder::tls`](crate::ClientBuilder::tls), or to
/// [`Proxy::tls`](crate::Proxy::tls) for an `https` proxy alone. Only with the feature `tls` or
/// `tls-webpki-roots`.
///
/// A server is trusted if its certificate is valid for the URL's host and has a chain to one of the
/// [`roots`](Tls::roots); or if it is [pinned](Tls::pin). TLS 1.2 and 1.3 are supported. Revocation
/// is not checked.
///
/// Settings that contradict each other (a pin together with
/// [`danger_accept_any_certificate`](Tls::danger_accept_any_certificate), any setting together with
/// [`from_rustls`](Tls::from_rustls)) are an [`ErrorKind::InvalidRequest`], reported by what takes the
/// value. The platform's trust store is read at the first TLS handshake, and then kept.
///
/// Clones, and all clients that are given the same value, share the trust store and the sessions that
/// can be resumed.
///
/// # Examples
///
/// A private root together with the platform's, and a client certificate:
///
/// ```no_run
/// use longwire::{Client, Tls};
///
/// let tls = Tls::new()
///     .add_root(std::fs::read("company-root.pem")?)?
///     .identity(std::fs::read("client.pem")?, std::fs::read("client.key")?)?;
/// let client = Client::builder().tls(tls).build();
/// # drop(client);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// Settings that contradict each other:
///
/// ```
/// use longwire::{Client, ErrorKind, Tls};
///
/// let tls = Tls::new().danger_accept_any_certificate().any_name();
/// let error = Client::builder().tls(tls).try_build().unwrap_err();
/// assert_eq!(error.kind(), ErrorKind::InvalidRequest);
/// ```
///
/// A device with a self-signed certificate:
///
/// ```no_run
/// use longwire::{Client, Tls};
///
/// let tls = Tls::new().pin(std::fs::read("printer.pem")?)?;
/// let client = Client::builder().tls(tls).build();
/// # drop(client);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[doc(alias = "TlsConfig")]
#[derive(Clone)]
#[must_use]
pub struct Tls(Arc<Inner>);

struct Inner {
    settings: Settings,
    id: u64,
    /// Made when first needed, then kept, because it remembers the sessions that can be resumed.
    config: OnceLock<Arc<ClientConfig>>,
}

/// As the caller has set them, contradictions included.
#[derive(Clone, Default)]
struct Settings {
    /// `None`: the default.
    roots: Option<Roots>,
    added_roots: Vec<CertificateDer<'static>>,
    pins: Vec<CertificateDer<'static>>,
    pin_names: Names,
    accepts_any: bool,
    identity: Option<Arc<CertifiedKey>>,
    logs_keys: bool,
    min_version: Option<TlsVersion>,
    rustls: Option<Arc<ClientConfig>>,
}

impl Tls {
    /// Returns the default: the default [`Roots`], no certificate of the client's own, TLS 1.2 and 1.3.
    pub fn new() -> Tls {
        Tls::with(Settings::default())
    }

    /// Uses a configuration of rustls as it is, for all that the other settings do not cover: another
    /// provider of cryptography, a verifier or certificate resolver of your own, encrypted client
    /// hello.
    ///
    /// If it names no ALPN protocol, `http/1.1` is offered, in a copy of it; otherwise it is taken as
    /// it is, and a server that chooses anything else is an error. No other setting can be combined
    /// with it. Refusals of certificates are explained in less detail.
    ///
    /// # Stability
    ///
    /// This method and [`longwire::rustls`](crate::rustls) are exempt from semantic versioning: rustls
    /// is at version 0.x, and a minor release of longwire may move to the next one.
    ///
    /// ```
    /// use longwire::rustls::{ClientConfig, RootCertStore, crypto::ring};
    /// use longwire::{Client, Tls};
    /// use std::sync::Arc;
    ///
    /// let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
    ///     .with_safe_default_protocol_versions()?
    ///     .with_root_certificates(RootCertStore::empty())
    ///     .with_no_client_auth();
    /// let client = Client::builder().tls(Tls::from_rustls(Arc::new(config))).build();
    /// # drop(client);
    /// # Ok::<(), longwire::rustls::Error>(())
    /// ```
    #[doc(alias = "use_preconfigured_tls")]
    pub fn from_rustls(config: Arc<ClientConfig>) -> Tls {
        Tls::with(Settings { rustls: Some(config), ..Settings::default() })
    }

    /// Sets which root certificates are trusted, in place of the default.
    ///
    /// A set whose feature is not enabled is an [`ErrorKind::InvalidRequest`], reported by what takes
    /// this value; a platform without a trust store is an [`ErrorKind::Tls`] of the first request. One
    /// set never stands in for another.
    ///
    /// ```no_run
    /// use longwire::{Roots, Tls};
    ///
    /// // Only the company's own servers.
    /// let tls = Tls::new().roots(Roots::None).add_root(std::fs::read("company-root.pem")?)?;
    /// # drop(tls);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[doc(alias("RootCAs", "--cacert", "verify"))]
    pub fn roots(self, roots: Roots) -> Tls {
        self.change(|settings| settings.roots = Some(roots))
    }

    /// Trusts these root certificates, too, together with those of [`roots`](Tls::roots): each
    /// certificate in the PEM file. Several calls add up.
    ///
    /// Together with [`Roots::Platform`] on Android, whose trust store takes no further roots, it is an
    /// [`ErrorKind::InvalidRequest`], reported by what takes this value.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidRequest`] if there is no certificate in the PEM file, or one that cannot be
    /// a root.
    #[doc(alias = "add_root_certificate")]
    pub fn add_root(self, pem: impl AsRef<[u8]>) -> Result<Tls> {
        const SETTING: &str = "Tls::add_root";

        let roots = pem::certificates(pem.as_ref()).map_err(|what| invalid(SETTING, &what))?;
        for root in &roots {
            let added = RootCertStore::empty().add(root.clone());
            added.map_err(|error| invalid(SETTING, &describe::defect(&error)))?;
        }
        Ok(self.change(|settings| settings.added_roots.extend(roots)))
    }

    /// Sets the client's own certificate and its private key, in PEM, for servers that ask for one.
    /// The certificate comes first in its file, and then the intermediate ones that lead to a root of
    /// the server's. Both may be in the same file. A later call replaces an earlier one.
    ///
    /// The key is PKCS #8 (`PRIVATE KEY`), PKCS #1 (`RSA PRIVATE KEY`) or SEC 1 (`EC PRIVATE KEY`); of
    /// RSA with at least 2048 bits, ECDSA on P-256 or P-384, or Ed25519.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidRequest`] if either is missing or unusable, if they do not belong together,
    /// and if the key is encrypted: decrypt it with `openssl pkey -in key.pem -out plain.pem`.
    #[doc(alias("--cert", "--key", "client_cert"))]
    pub fn identity(self, cert_pem: impl AsRef<[u8]>, key_pem: impl AsRef<[u8]>) -> Result<Tls> {
        let identity = identity(cert_pem.as_ref(), key_pem.as_ref()).map_err(|what| invalid("Tls::identity", &what))?;
        Ok(self.change(|settings| settings.identity = Some(Arc::new(identity))))
    }

    /// Trusts a server only if it has exactly this certificate, byte for byte, whatever has issued it:
    /// a self-signed one, even a CA's own. Several pins, in one PEM file or by several calls, are
    /// alternatives: so the next certificate can be pinned before the server changes to it.
    ///
    /// The certificate must be valid at this time, and for the URL's host: by its subject alternative
    /// names or, if it has none, by its common name. [`any_name`](Tls::any_name) switches the latter
    /// check off. No root counts any more: together with [`add_root`](Tls::add_root), or
    /// [`roots`](Tls::roots) other than [`Roots::None`], it is an [`ErrorKind::InvalidRequest`],
    /// reported by what takes this value.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidRequest`] if there is no certificate in the PEM file, or one that TLS cannot be
    /// done with here: of X.509 version 1, or with an RSA key of less than 2048 bits.
    #[doc(alias = "--pinnedpubkey")]
    pub fn pin(self, cert_pem: impl AsRef<[u8]>) -> Result<Tls> {
        const SETTING: &str = "Tls::pin";

        let pins = pem::certificates(cert_pem.as_ref()).map_err(|what| invalid(SETTING, &what))?;
        for pin in &pins {
            verify::check_usable(pin).map_err(|error| invalid(SETTING, &describe::defect(&error)))?;
        }
        Ok(self.change(|settings| settings.pins.extend(pins)))
    }

    /// Accepts a [pinned](Tls::pin) certificate whatever the URL's host is: for a device that is known
    /// under other names than its certificate has.
    ///
    /// Without a pin it is an [`ErrorKind::InvalidRequest`], reported by what takes this value.
    #[doc(alias = "danger_accept_invalid_hostnames")]
    pub fn any_name(self) -> Tls {
        self.change(|settings| settings.pin_names = Names::Any)
    }

    /// Accepts every certificate of every server.
    ///
    /// **Anyone on the way can then read and change everything**, passwords and tokens included. To
    /// reach a server with a self-signed certificate, [`pin`](Tls::pin) that. The server still has to
    /// prove that it has the certificate's private key, so
    /// [`TlsInfo::peer_certificates`](crate::TlsInfo::peer_certificates) can be trusted to be the
    /// peer's.
    ///
    /// Together with [`pin`](Tls::pin), [`add_root`](Tls::add_root), or [`roots`](Tls::roots) other than
    /// [`Roots::None`] it is an [`ErrorKind::InvalidRequest`], reported by what takes this value.
    #[doc(alias("InsecureSkipVerify", "--insecure", "-k", "verify", "danger_accept_invalid_certs"))]
    #[doc(alias = "disable_verification")]
    pub fn danger_accept_any_certificate(self) -> Tls {
        self.change(|settings| settings.accepts_any = true)
    }

    /// Appends the secrets of every connection to the file that the environment variable
    /// `SSLKEYLOGFILE` names, for Wireshark and the like; does nothing where that is not set.
    ///
    /// The file is enough to decrypt the connections. It is opened at the first TLS handshake, and created
    /// if there is none: by recent versions of rustls with access for its owner alone; no request fails because it cannot be written.
    #[doc(alias("KeyLogWriter", "SSLKEYLOGFILE"))]
    pub fn key_log(self) -> Tls {
        self.change(|settings| settings.logs_keys = true)
    }

    /// Sets the lowest version of TLS that is negotiated. Default [`TlsVersion::Tls12`].
    #[doc(alias("--tlsv1.3", "min_tls_version"))]
    pub fn min_version(self, version: TlsVersion) -> Tls {
        self.change(|settings| settings.min_version = Some(version))
    }

    fn with(settings: Settings) -> Tls {
        Tls(Arc::new(Inner { settings, id: next_id(), config: OnceLock::new() }))
    }

    /// A changed value shares nothing with its clones any more.
    fn change(self, change: impl FnOnce(&mut Settings)) -> Tls {
        let mut settings = self.0.settings.clone();
        change(&mut settings);
        Tls::with(settings)
    }

    /// Identifies the value among all of this process. Clones have the same id; they are
    /// interchangeable.
    pub(crate) fn id(&self) -> u64 {
        self.0.id
    }

    /// Returns an error for what is unavailable, contradictory, or could never trust a server.
    pub(crate) fn check(&self) -> Result<()> {
        let settings = &self.0.settings;
        if settings.rustls.is_some() {
            return settings.refuse(|_| true, "together with Tls::from_rustls, whose configuration decides that");
        }
        if settings.accepts_any {
            let what = "together with Tls::danger_accept_any_certificate, which leaves nothing to check";
            return settings.refuse(|name| ["roots", "add_root", "pin", "any_name"].contains(&name), what);
        }
        if !settings.pins.is_empty() {
            let what = "together with Tls::pin, with which no root is trusted";
            return settings.refuse(|name| ["roots", "add_root"].contains(&name), what);
        }
        settings.refuse(|name| name == "any_name", "without Tls::pin: only a pinned certificate may have any name")?;
        match settings.roots.unwrap_or_default() {
            roots @ Roots::Platform if !cfg!(feature = "tls") => Err(unavailable(roots, "tls")),
            roots @ Roots::Bundled if !cfg!(feature = "tls-webpki-roots") => {
                Err(unavailable(roots, "tls-webpki-roots"))
            }
            Roots::Platform if cfg!(target_os = "android") => {
                let what = "together with Roots::Platform on Android, whose trust store takes no further roots";
                settings.refuse(|name| name == "add_root", what)
            }
            Roots::None if settings.added_roots.is_empty() => {
                Err(invalid("Tls::roots", "Roots::None without Tls::add_root or Tls::pin: no server could be trusted"))
            }
            _ => Ok(()),
        }
    }

    /// Returns the configuration, which is made the first time.
    pub(crate) fn config(&self) -> Result<Arc<ClientConfig>> {
        if let Some(config) = self.0.config.get() {
            return Ok(config.clone());
        }
        self.check()?;
        let mut config = match &self.0.settings.rustls {
            Some(config) => config.clone(),
            None => Arc::new(self.0.settings.config()?),
        };
        if config.alpn_protocols.is_empty() {
            Arc::make_mut(&mut config).alpn_protocols = vec![ALPN.as_bytes().to_vec()];
        }
        Ok(self.0.config.get_or_init(|| config).clone()) // another thread may have been first
    }
}

impl Settings {
    /// The settings that were made, by their methods' names. `Roots::None` excludes nothing.
    fn made(&self) -> impl Iterator<Item = &'static str> {
        let settings = [
            ("roots", self.roots.is_some_and(|roots| roots != Roots::None)),
            ("add_root", !self.added_roots.is_empty()),
            ("pin", !self.pins.is_empty()),
            ("any_name", self.pin_names == Names::Any),
            ("danger_accept_any_certificate", self.accepts_any),
            ("identity", self.identity.is_some()),
            ("key_log", self.logs_keys),
            ("min_version", self.min_version.is_some()),
        ];
        settings.into_iter().filter(|(_, is_made)| *is_made).map(|(name, _)| name)
    }

    /// An error if one of these settings was made.
    fn refuse(&self, is_refused: impl Fn(&str) -> bool, why: &str) -> Result<()> {
        match self.made().find(|name| is_refused(name)) {
            Some(name) => Err(Error::new(ErrorKind::InvalidRequest, format!("Tls::{name} {why}"))),
            None => Ok(()),
        }
    }

    fn config(&self) -> Result<ClientConfig> {
        let provider = Arc::new(ring::default_provider());
        let inner = self.verifier(&provider)?;
        let versions: &[&SupportedProtocolVersion] = match self.min_version {
            Some(TlsVersion::Tls13) => &[&TLS13],
            Some(TlsVersion::Tls12) | None => ALL_VERSIONS,
        };
        let builder = ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(versions)
            .map_err(|error| describe::failure("TLS: no configuration", error))?
            .dangerous() // only in name: it refuses what the inner one refuses
            .with_custom_certificate_verifier(Arc::new(ExplainingVerifier { inner }));
        let mut config = match &self.identity {
            Some(identity) => builder.with_client_cert_resolver(Arc::new(SingleCertAndKey::from(identity.clone()))),
            None => builder.with_no_client_auth(),
        };
        if self.logs_keys {
            config.key_log = Arc::new(KeyLogFile::new());
        }
        Ok(config)
    }

    fn verifier(&self, provider: &Arc<CryptoProvider>) -> Result<Verifier> {
        let algorithms = provider.signature_verification_algorithms;
        if self.accepts_any {
            return Ok(Arc::new(LeafVerifier { trusts: Leaf::Any, algorithms }));
        }
        if !self.pins.is_empty() {
            let trusts = Leaf::Pinned { certificates: self.pins.clone(), names: self.pin_names };
            return Ok(Arc::new(LeafVerifier { trusts, algorithms }));
        }
        match self.roots.unwrap_or_default() {
            #[cfg(feature = "tls")]
            Roots::Platform => verify::platform(&self.added_roots, provider).map_err(|error| {
                let advice = match cfg!(feature = "tls-webpki-roots") {
                    true => "Tls::roots(Roots::Bundled) does without it",
                    false => "Tls::roots(Roots::Bundled), with the feature `tls-webpki-roots`, does without it",
                };
                describe::failure(format!("TLS: the platform's trust store cannot be used ({advice})"), error)
            }),
            #[cfg(feature = "tls-webpki-roots")]
            Roots::Bundled => {
                verify::bundled(&self.added_roots, provider).map_err(|error| describe::failure("TLS: the roots", error))
            }
            _ => verify::added_alone(&self.added_roots, provider)
                .map_err(|error| describe::failure("TLS: the roots", error)),
        }
    }
}

fn identity(cert_pem: &[u8], key_pem: &[u8]) -> std::result::Result<CertifiedKey, String> {
    let chain = pem::certificates(cert_pem)?;
    let key = pem::private_key(key_pem)?;
    let provider = ring::default_provider();
    // The key alone first: rustls has no error of its own for one that it cannot use.
    if ring::sign::any_supported_type(&key).is_err() {
        let kinds = "RSA of at least 2048 bits, ECDSA on P-256 or P-384, and Ed25519";
        return Err(format!("the private key cannot be used; what can be is {kinds}"));
    }
    CertifiedKey::from_der(chain, key, &provider).map_err(|error| match error {
        rustls::Error::InconsistentKeys(InconsistentKeys::KeyMismatch) => {
            "the private key is not that of the (first) certificate".to_owned()
        }
        error => describe::defect(&error),
    })
}

fn invalid(setting: &str, what: &str) -> Error {
    Error::new(ErrorKind::InvalidRequest, format!("{setting}: {what}"))
}

fn unavailable(roots: Roots, feature: &str) -> Error {
    invalid("Tls::roots", &format!("Roots::{roots:?} needs longwire's feature `{feature}`"))
}

impl Default for Tls {
    fn default() -> Tls {
        Tls::new()
    }
}

impl fmt::Debug for Tls {
    /// Shows which settings were made, and neither keys nor certificates.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let settings = &self.0.settings;
        let mut shown = f.debug_struct("Tls");
        if settings.rustls.is_some() {
            return shown.field("from_rustls", &true).finish_non_exhaustive();
        }
        shown
            .field("roots", &settings.roots.unwrap_or_default())
            .field("added_roots", &settings.added_roots.len())
            .field("pins", &settings.pins.len())
            .field("accepts_any_certificate", &settings.accepts_any)
            .field("identity", &settings.identity.is_some())
            .field("key_log", &settings.logs_keys)
            .field("min_version", &settings.min_version.unwrap_or(TlsVersion::Tls12))
            .finish_non_exhaustive()
    }
}
