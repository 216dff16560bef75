//! The HTML report: whatever is in an image and its name, the page is well-formed, has the elements that its templates
//! have and no others, and asks for nothing outside.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::sync::LazyLock;

use html5ever::tendril::StrTendril;
use html5ever::tokenizer::{
    BufferQueue, Tag, TagKind, Token, TokenSink, TokenSinkResult, Tokenizer, TokenizerOpts,
};
use xenstream::{Input, Options, verify};
use xenstream_report::{Collector, PAGE_MAX, write_page};

use crate::setup::Setup;

/// Bytes of the stream that its name is made of.
const NAME: usize = 48;

/// Every element that a page may have.
const ELEMENTS: &[&str] = &[
    "a", "body", "circle", "code", "data", "dd", "desc", "details", "div", "dl", "dt", "footer", "g", "h1",
    "h2", "h3", "head", "header", "html", "i", "li", "line", "main", "meta", "nav", "ol", "p", "path",
    "rect", "section", "small", "span", "strong", "style", "summary", "svg", "table", "tbody", "td", "text",
    "th", "thead", "title", "tr", "ul",
];

/// Attributes by which a page could run or fetch something.
fn is_active(name: &str) -> bool {
    name.starts_with("on")
        || matches!(name, "src" | "srcset" | "action" | "formaction" | "srcdoc" | "xlink:href")
}

/// Makes the page about the bytes, and parses it.
///
/// # Panics
/// If a parser finds an error, or an element or attribute that a page should not have.
pub fn html(data: &[u8]) {
    let (setup, stream) = Setup::split(data);
    let options = Options::new(setup.policy().clone()).with_format(setup.format);
    let mut collector = Collector::new();
    let Ok(report) = verify(Input::Slice(stream), &options, &mut collector) else { return };
    let name = String::from_utf8_lossy(&stream[..stream.len().min(NAME)]).into_owned();
    let mut page = Vec::new();
    write_page(&mut page, name.as_str(), &report, &collector).expect("there is room in memory");
    assert!((page.len() as u64) < PAGE_MAX as u64, "{} bytes", page.len());
    let page = String::from_utf8(page).expect("a page is UTF-8");
    parse(&page);
}

fn parse(page: &str) {
    let checks =
        Tokenizer::new(Checks::default(), TokenizerOpts { exact_errors: true, ..TokenizerOpts::default() });
    let queue = BufferQueue::default();
    queue.push_back(StrTendril::from(page));
    let _ = checks.feed(&queue);
    checks.end();
    let open = checks.sink.open.borrow();
    assert!(open.is_empty(), "{open:?} is not closed");
}

/// Checks every token of a page.
#[derive(Default)]
struct Checks {
    open: RefCell<Vec<String>>,
}

static KNOWN: LazyLock<BTreeSet<&str>> = LazyLock::new(|| ELEMENTS.iter().copied().collect());

impl Checks {
    fn tag(&self, tag: &Tag) {
        /// Elements without contents.
        const EMPTY: [&str; 1] = ["meta"];
        let name = &*tag.name;
        assert!(KNOWN.contains(name), "an element {name}");
        for attribute in &tag.attrs {
            assert!(!is_active(&attribute.name.local), "{name} has {}", attribute.name.local);
            if &*attribute.name.local == "href" {
                assert!(attribute.value.starts_with('#'), "a link to {}", attribute.value);
            }
        }
        let mut open = self.open.borrow_mut();
        match tag.kind {
            TagKind::StartTag if tag.self_closing || EMPTY.contains(&name) => {}
            TagKind::StartTag => open.push(name.to_owned()),
            TagKind::EndTag => assert_eq!(open.pop().as_deref(), Some(name), "what is closed"),
        }
    }
}

impl TokenSink for Checks {
    type Handle = ();

    fn process_token(&self, token: Token, _line: u64) -> TokenSinkResult<()> {
        match token {
            Token::TagToken(tag) => self.tag(&tag),
            Token::ParseError(error) => panic!("{error}"),
            Token::NullCharacterToken => panic!("a null character"),
            Token::DoctypeToken(_) | Token::CommentToken(_) | Token::CharacterTokens(_) | Token::EOFToken => {
            }
        }
        TokenSinkResult::Continue
    }
}
