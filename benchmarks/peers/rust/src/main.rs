// SPDX-License-Identifier: BSL-1.0
//! The peer of Rust: `tungstenite`, on a socket that does not wait. Messages go into its buffer, which is flushed once
//! for each refill of the window. See ../../README.md.
use base64::{engine::general_purpose::STANDARD, Engine};
use std::collections::HashMap;
use std::error::Error;
use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::os::fd::AsRawFd;
use std::time::{Duration, Instant};
use tungstenite::stream::MaybeTlsStream;
use tungstenite::{Connector, Message, WebSocket};

type Fallible<T> = Result<T, Box<dyn Error>>;

struct Options {
    url: String,
    ca: String,
    messages: u64,
    seconds: u64,
    window: usize,
    payload: usize,
}

impl Options {
    fn from_arguments() -> Fallible<Options> {
        let mut o = Options {
            url: "http://127.0.0.1:8080".into(),
            ca: String::new(),
            messages: 0,
            seconds: 3,
            window: 1000,
            payload: 100,
        };
        let mut words = std::env::args().skip(1);
        while let Some(name) = words.next() {
            let value = words.next().ok_or(format!("{name} needs a value"))?;
            match name.as_str() {
                "--url" => o.url = value,
                "--ca" => o.ca = value,
                "--messages" => o.messages = value.parse()?,
                "--seconds" => o.seconds = value.parse()?,
                "--window" => o.window = value.parse()?,
                "--payload" => o.payload = value.parse()?,
                _ => return Err(format!("unknown argument {name}").into()),
            }
        }
        if o.messages != 0 {
            o.seconds = 3600;
        }
        Ok(o)
    }
}

/// Where the socket is: GDN with http and https (a one-time password first), a plain Pulsar with ws and wss.
struct Target {
    gdn: bool,
    tls: bool,
    authority: String,
    connector: Option<native_tls::TlsConnector>,
}

impl Target {
    fn new(options: &Options) -> Fallible<Target> {
        let (scheme, rest) = options.url.split_once("://").ok_or("no scheme in --url")?;
        let tls = scheme == "https" || scheme == "wss";
        let connector = if tls {
            let ca = native_tls::Certificate::from_pem(&std::fs::read(&options.ca)?)?;
            Some(native_tls::TlsConnector::builder().add_root_certificate(ca).build()?)
        } else {
            None
        };
        let authority = rest.split('/').next().unwrap_or_default().to_string();
        Ok(Target { gdn: scheme.starts_with("http"), tls, authority, connector })
    }

    fn connect(&self) -> Fallible<TcpStream> {
        let tcp = TcpStream::connect(&self.authority)?;
        tcp.set_nodelay(true)?;
        Ok(tcp)
    }

    fn one_time_password(&self) -> Fallible<String> {
        let host = self.authority.split(':').next().unwrap_or_default();
        let tcp = self.connect()?;
        let mut stream: Box<dyn ReadWrite> = match &self.connector {
            Some(connector) => Box::new(connector.connect(host, tcp)?),
            None => Box::new(tcp),
        };
        let request = format!(
            "POST /apid/otp HTTP/1.1\r\nHost: {}\r\nAuthorization: apikey _mm.benchmark.secret\r\nContent-Length: 0\r\n\r\n",
            self.authority
        );
        stream.write_all(request.as_bytes())?;
        let mut answer = Vec::new();
        while !answer.contains(&b'}') {
            let mut bytes = [0; 4096];
            let n = stream.read(&mut bytes)?;
            if n == 0 {
                return Err("no one-time password".into());
            }
            answer.extend_from_slice(&bytes[..n]);
        }
        let text = String::from_utf8(answer)?;
        let body: serde_json::Value = serde_json::from_str(&text[text.find("\r\n\r\n").ok_or("no body")? + 4..])?;
        Ok(body["otp"].as_str().ok_or("no one-time password")?.to_string())
    }

    fn open(&self) -> Fallible<(WebSocket<MaybeTlsStream<TcpStream>>, i32)> {
        let path = if self.gdn {
            format!(
                "/_ws/ws/v2/producer/persistent/_mm/c8global._system/c8globals.benchmark?otp={}",
                self.one_time_password()?
            )
        } else {
            "/ws/v2/producer/persistent/public/default/benchmark".to_string()
        };
        let tcp = self.connect()?;
        let handle = tcp.try_clone()?;
        let fd = tcp.as_raw_fd();
        let url = format!("{}://{}{}", if self.tls { "wss" } else { "ws" }, self.authority, path);
        let connector = match &self.connector {
            Some(c) => Connector::NativeTls(c.clone()),
            None => Connector::Plain,
        };
        let (socket, _) = tungstenite::client_tls_with_config(url, tcp, None, Some(connector)).map_err(|e| e.to_string())?;
        handle.set_nonblocking(true)?;
        Ok((socket, fd))
    }
}

trait ReadWrite: Read + Write {}
impl<T: Read + Write> ReadWrite for T {}

fn cpu_time() -> Duration {
    let mut t = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    unsafe { libc::clock_gettime(libc::CLOCK_PROCESS_CPUTIME_ID, &mut t) };
    Duration::new(t.tv_sec as u64, t.tv_nsec as u32)
}

#[derive(PartialEq, Clone, Copy)]
enum Phase {
    Warming,
    Measuring,
    Over,
}

#[derive(Clone, Copy)]
struct Edge {
    time: Instant,
    cpu: Duration,
    messages: u64,
}

struct Measurement {
    messages: u64,
    seconds: Duration,
    stride: u64,  // of the latencies that are sampled
    between: u64, // two looks at the clock
    phase: Phase,
    acknowledged: u64,
    begin: Edge,
    end: Edge,
    latencies: Vec<f64>,
}

impl Measurement {
    fn new(o: &Options) -> Measurement {
        let now = Edge { time: Instant::now(), cpu: cpu_time(), messages: 0 };
        Measurement {
            messages: o.messages,
            seconds: Duration::from_secs(o.seconds),
            stride: std::cmp::max(1, o.window as u64 / 16),
            between: std::cmp::max(1, o.window as u64 / 8),
            phase: Phase::Warming,
            acknowledged: 0,
            begin: now,
            end: now,
            latencies: Vec::new(),
        }
    }

    fn add(&mut self, sent: Option<Instant>) {
        self.acknowledged += 1;
        if let (Some(t), Phase::Measuring) = (sent, self.phase) {
            self.latencies.push(t.elapsed().as_secs_f64() * 1e6);
        }
        if self.acknowledged % self.between == 0 {
            self.look();
        }
    }

    fn look(&mut self) {
        let part = if self.phase == Phase::Warming { 10 } else { 1 };
        let enough = self.messages != 0 && self.acknowledged - self.begin.messages >= self.messages / part;
        let late = self.begin.time.elapsed() >= self.seconds / part as u32;
        if self.phase == Phase::Over || !(enough || late) {
            return;
        }
        let now = Edge { time: Instant::now(), cpu: cpu_time(), messages: self.acknowledged };
        if self.phase == Phase::Warming {
            self.begin = now;
            self.phase = Phase::Measuring;
        } else {
            self.end = now;
            self.phase = Phase::Over;
        }
    }

    fn print(&mut self, o: &Options, tls: bool) {
        let messages = self.end.messages - self.begin.messages;
        let seconds = (self.end.time - self.begin.time).as_secs_f64();
        let cpu = (self.end.cpu - self.begin.cpu).as_nanos() as f64 / messages as f64;
        self.latencies.sort_by(f64::total_cmp);
        let n = self.latencies.len() as f64;
        let quantile = |q: f64| self.latencies.get((q * n) as usize).copied().unwrap_or(0.0);
        println!(
            "{{\"mode\":\"rust tungstenite\",\"tls\":{},\"payload\":{},\"window\":{},\"messages\":{},\"msgs_per_s\":{:.0},\"cpu_ns_per_msg\":{:.1},\"p50_us\":{:.1},\"p99_us\":{:.1},\"p999_us\":{:.1}}}",
            u8::from(tls), o.payload, o.window, messages, messages as f64 / seconds, cpu,
            quantile(0.5), quantile(0.99), quantile(0.999)
        );
    }
}

#[derive(serde::Deserialize)]
struct Acknowledgement<'a> {
    result: &'a str,
    context: &'a str,
}

fn make_payload(size: usize) -> Vec<u8> {
    let mut state: u32 = 1;
    (0..size)
        .map(|_| {
            state = state.wrapping_mul(1664525).wrapping_add(1013904223);
            (state >> 24) as u8
        })
        .collect()
}

fn would_block(e: &tungstenite::Error) -> bool {
    matches!(e, tungstenite::Error::Io(e) if e.kind() == ErrorKind::WouldBlock)
}

fn main() -> Fallible<()> {
    let options = Options::from_arguments()?;
    let target = Target::new(&options)?;
    let (mut socket, fd) = target.open()?;
    let payload = make_payload(options.payload);
    let mut sent: HashMap<u64, Option<Instant>> = HashMap::with_capacity(options.window);
    let mut context = 0u64;
    let mut measured = Measurement::new(&options);
    let mut unflushed = false;
    while measured.phase != Phase::Over || !sent.is_empty() {
        while measured.phase != Phase::Over && sent.len() < options.window {
            context += 1;
            let sampled = context % measured.stride == 0;
            sent.insert(context, sampled.then(Instant::now));
            let mut text = String::with_capacity(payload.len() * 4 / 3 + 64);
            text.push_str("{\"payload\":\"");
            STANDARD.encode_string(&payload, &mut text);
            text.push_str("\",\"context\":\"");
            text.push_str(&context.to_string());
            text.push_str("\"}");
            match socket.write(Message::text(text)) {
                Ok(()) => {}
                Err(e) if would_block(&e) => {} // it is in the buffer
                Err(e) => return Err(e.into()),
            }
            unflushed = true;
        }
        if unflushed {
            match socket.flush() {
                Ok(()) => unflushed = false,
                Err(e) if would_block(&e) => {}
                Err(e) => return Err(e.into()),
            }
        }
        let events = libc::POLLIN | if unflushed { libc::POLLOUT } else { 0 };
        let mut ready = libc::pollfd { fd, events, revents: 0 };
        unsafe { libc::poll(&mut ready, 1, -1) };
        loop {
            match socket.read() {
                Ok(Message::Text(text)) => {
                    let answer: Acknowledgement = serde_json::from_str(text.as_str())?;
                    let number: u64 = answer.context.parse()?;
                    match sent.remove(&number) {
                        Some(when) if answer.result == "ok" => measured.add(when),
                        _ => return Err(format!("not an acknowledgement: {text}").into()),
                    }
                }
                Ok(_) => {}
                Err(e) if would_block(&e) => break,
                Err(e) => return Err(e.into()),
            }
        }
    }
    measured.print(&options, target.tls);
    Ok(())
}
