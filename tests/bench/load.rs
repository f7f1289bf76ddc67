//! Closed-loop HTTP/1.1 load on loopback, and fan-out of server-sent events.
//!
//! Contract: raw keep-alive connections, so that the client costs little; bounded in count and time; any answer that is not 2xx ends the run.

use std::time::{Duration, Instant};

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;

use super::figures::Sample;

type Error = Box<dyn std::error::Error + Send + Sync>;

/// One request, ready to send.
#[derive(Debug, Clone)]
pub struct Request(Vec<u8>);

impl Request {
    /// A request; `headers` are whole lines without line ends.
    pub fn new(method: &str, path: &str, headers: &[String], body: &str) -> Self {
        let mut text = format!("{method} {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: {}\r\n", body.len());
        if !body.is_empty() {
            text.push_str("Content-Type: application/json\r\n");
        }
        for header in headers {
            text.push_str(header);
            text.push_str("\r\n");
        }
        text.push_str("\r\n");
        text.push_str(body);
        Self(text.into_bytes())
    }
}

/// What a level of load gave.
#[derive(Debug, Clone, Default)]
pub struct Load {
    /// Milliseconds a request.
    pub latency: Sample,
    /// Requests a second over all connections.
    pub per_second: f64,
}

async fn answer(stream: &mut BufReader<TcpStream>) -> Result<Vec<u8>, Error> {
    let (mut line, mut length, mut chunked) = (String::new(), 0_usize, false);
    stream.read_line(&mut line).await?;
    let ok = line.split(' ').nth(1).is_some_and(|s| s.starts_with('2'));
    let status = line.clone();
    loop {
        line.clear();
        stream.read_line(&mut line).await?;
        let header = line.trim_end().to_ascii_lowercase();
        if header.is_empty() {
            break;
        }
        if let Some(n) = header.strip_prefix("content-length:") {
            length = n.trim().parse()?;
        }
        chunked |= header == "transfer-encoding: chunked";
    }
    let mut body = vec![0; length];
    stream.read_exact(&mut body).await?;
    while chunked {
        line.clear();
        stream.read_line(&mut line).await?;
        let size = usize::from_str_radix(line.trim(), 16)?;
        let mut part = vec![0; size + 2];
        stream.read_exact(&mut part).await?;
        body.extend_from_slice(&part[..size]);
        chunked = size > 0;
    }
    if ok { Ok(body) } else { Err(format!("{}: {}", status.trim(), String::from_utf8_lossy(&body)).into()) }
}

/// Sends one request on a connection of its own.
pub async fn once(port: u16, request: &Request) -> Result<Vec<u8>, Error> {
    let mut stream = BufReader::new(TcpStream::connect(("127.0.0.1", port)).await?);
    stream.write_all(&request.0).await?;
    answer(&mut stream).await
}

/// Runs each list of requests on a connection of its own, one after the other, until the list or the time ends.
pub async fn run(port: u16, lists: Vec<Vec<Request>>, most: Duration) -> Result<Load, Error> {
    let began = Instant::now();
    let tasks: Vec<_> = lists
        .into_iter()
        .map(|list| {
            tokio::spawn(async move {
                let stream = TcpStream::connect(("127.0.0.1", port)).await?;
                stream.set_nodelay(true)?;
                let mut stream = BufReader::new(stream);
                let mut times = Vec::with_capacity(list.len());
                for request in list {
                    if began.elapsed() > most {
                        break;
                    }
                    let sent = Instant::now();
                    stream.write_all(&request.0).await?;
                    answer(&mut stream).await?;
                    times.push(sent.elapsed().as_secs_f64() * 1e3);
                }
                Ok::<_, Error>(times)
            })
        })
        .collect();
    let mut all = Vec::new();
    for task in tasks {
        all.extend(task.await??);
    }
    #[allow(clippy::cast_precision_loss, reason = "a count of requests")]
    let per_second = all.len() as f64 / began.elapsed().as_secs_f64();
    Ok(Load { latency: Sample(all), per_second })
}

/// Opens streams, sends the requests one after the other, and times until the last stream has the event whose data holds the request's
/// marker.
pub async fn fan_out(port: u16, streams: &[Request], emits: &[(Request, String)]) -> Result<Sample, Error> {
    let (seen, mut arrivals) = tokio::sync::mpsc::channel::<(Instant, String)>(streams.len() * 4);
    for request in streams {
        let mut stream = BufReader::new(TcpStream::connect(("127.0.0.1", port)).await?);
        stream.write_all(&request.0).await?;
        let mut line = String::new();
        stream.read_line(&mut line).await?;
        if line.split(' ').nth(1) != Some("200") {
            return Err(format!("an event stream was refused: {}", line.trim()).into());
        }
        while stream.read_line(&mut line).await? > 2 {}
        let seen = seen.clone();
        tokio::spawn(async move {
            let mut line = String::new();
            while stream.read_line(&mut line).await.is_ok_and(|n| n > 0) {
                if line.starts_with("data:") && seen.send((Instant::now(), line.clone())).await.is_err() {
                    break;
                }
                line.clear();
            }
        });
    }
    let mut last = Vec::new();
    for (emit, marker) in emits {
        let sent = Instant::now();
        once(port, emit).await?;
        let (mut at, mut count) = (sent, 0);
        while count < streams.len() {
            let (when, line) = tokio::time::timeout(Duration::from_secs(10), arrivals.recv()).await?.ok_or("a stream ended")?;
            if line.contains(marker) {
                (at, count) = (at.max(when), count + 1);
            }
        }
        last.push(at.duration_since(sent).as_secs_f64() * 1e3);
    }
    Ok(Sample(last))
}
