//! A minimal HTTP/1.1 client over one connection that is kept: it must cost little beside the server that it measures.

use std::io::{self, Write};
use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// An answer that takes longer than this means that something is broken.
const TIMEOUT: Duration = Duration::from_secs(60);

/// One connection, with at most one request under way.
pub(super) struct Client {
    stream: TcpStream,
    host: String,
    /// A header that goes with each request, with its line end; may be empty.
    header: String,
    out: Vec<u8>,
    input: Vec<u8>,
    filled: usize,
}

/// What came back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) body_bytes: usize,
}

impl Client {
    /// `token` goes with each request, if there is one.
    pub(super) async fn connect(address: SocketAddr, token: Option<&str>) -> io::Result<Client> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        let header = token.map_or_else(String::new, |token| format!("authorization: Bearer {token}\r\n"));
        let (host, out, input) = (address.to_string(), Vec::new(), vec![0; 16 * 1024]);
        Ok(Client { stream, host, header, out, input, filled: 0 })
    }

    /// Sends one request and waits for its whole answer. An empty body is none.
    pub(super) async fn send(&mut self, method: &str, path: &str, body: &[u8]) -> io::Result<Answer> {
        self.out.clear();
        write!(self.out, "{method} {path} HTTP/1.1\r\nhost: {}\r\naccept: application/fhir+json\r\n", self.host)?;
        self.out.extend_from_slice(self.header.as_bytes());
        if !body.is_empty() {
            write!(self.out, "content-type: application/fhir+json\r\ncontent-length: {}\r\n", body.len())?;
        }
        self.out.extend_from_slice(b"\r\n");
        self.out.extend_from_slice(body);
        self.stream.write_all(&self.out).await?;
        timeout(TIMEOUT, self.answer()).await.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
    }

    /// The body of the last answer, as far as it was read into memory: all of it.
    pub(super) fn body(&self, answer: Answer) -> &[u8] {
        &self.input[self.filled - answer.body_bytes..self.filled]
    }

    async fn answer(&mut self) -> io::Result<Answer> {
        self.filled = 0;
        let (status, start, length) = loop {
            self.read_more().await?;
            if let Some(head) = head(&self.input[..self.filled])? {
                break head;
            }
        };
        while self.filled < start + length {
            self.read_more().await?;
        }
        if self.filled > start + length {
            return Err(io::Error::other("the server sent more than its answer"));
        }
        Ok(Answer { status, body_bytes: length })
    }

    async fn read_more(&mut self) -> io::Result<()> {
        if self.filled == self.input.len() {
            self.input.resize(2 * self.filled, 0);
        }
        match self.stream.read(&mut self.input[self.filled..]).await? {
            0 => Err(io::ErrorKind::UnexpectedEof.into()),
            read => {
                self.filled += read;
                Ok(())
            }
        }
    }
}

/// Status, start of the body and its length; `None` while the head is not all there.
fn head(input: &[u8]) -> io::Result<Option<(u16, usize, usize)>> {
    let Some(end) = input.windows(4).position(|window| window == b"\r\n\r\n") else {
        return Ok(None);
    };
    let text = std::str::from_utf8(&input[..end]).map_err(io::Error::other)?;
    let mut lines = text.split("\r\n");
    let status = lines.next().and_then(|line| line.split(' ').nth(1)).and_then(|code| code.parse().ok());
    let status: u16 = status.ok_or_else(|| io::Error::other("the answer has no status"))?;
    let mut length = (status == 204 || status == 304).then_some(0);
    for line in lines {
        if let Some((name, value)) = line.split_once(':')
            && name.eq_ignore_ascii_case("content-length")
        {
            length = value.trim().parse().ok();
        }
    }
    let length = length.ok_or_else(|| io::Error::other("the answer does not say its length"))?;
    Ok(Some((status, end + 4, length)))
}

#[cfg(test)]
mod tests {
    use super::head;

    #[test]
    fn a_head_tells_where_the_body_is() {
        let text = b"HTTP/1.1 201 Created\r\nContent-Length: 12\r\netag: W/\"1\"\r\n\r\nHello";

        assert_eq!(head(text).unwrap(), Some((201, text.len() - 5, 12)));
        assert_eq!(head(&text[..30]).unwrap(), None);
    }

    #[test]
    fn an_answer_of_unknown_length_is_refused() {
        assert!(head(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n").is_err());
    }
}
