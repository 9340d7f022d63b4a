//! The cases of the IETF's http-state working group (`tests/data/parser.json` of abarth/http-state), which
//! browsers were compared by: what is sent back of what was received. Their numbers are kept.
//!
//! Where RFC 6265bis decides otherwise than they did, that is followed: a cookie without a name is
//! kept (§5.6 step 3), a control character refuses the cookie (step 1), and an empty `Domain` after
//! another one is the last one (§5.6.3). Dates that have passed since are later ones here.

use longwire::CookieStore;

use super::{receive, sent_to};

const FROM: &str = "http://home.example.org:8888/cookie-parser?0001";

/// What is received, the target or URL of the next request, and what that one is sent.
type Case = (&'static str, &'static [&'static str], &'static str, &'static str);

const RESULT: &str = "/cookie-parser-result?0001";

#[track_caller]
fn check(cases: &[Case]) {
    for (number, received, to, want) in cases {
        let store = CookieStore::new();
        for field in *received {
            receive(&store, FROM, field);
        }
        let url = if to.starts_with('/') { format!("http://home.example.org:8888{to}") } else { (*to).to_owned() };
        assert_eq!(sent_to(&store, &url), *want, "{number}: {received:?} to {to}");
    }
}

#[test]
fn general() {
    check(&[
        ("0001", &["foo=bar"], RESULT, "foo=bar"),
        ("0002", &["foo=bar; Expires=Fri, 07 Aug 2119 08:04:19 GMT"], RESULT, "foo=bar"),
        (
            "0003",
            &["foo=bar; Expires=Fri, 07 Aug 2007 08:04:19 GMT", "foo2=bar2; Expires=Fri, 07 Aug 2117 08:04:19 GMT"],
            RESULT,
            "foo2=bar2",
        ),
        ("0004", &["foo"], RESULT, "foo"),
        ("0005", &["foo=bar; max-age=10000;"], RESULT, "foo=bar"),
        ("0006", &["foo=bar; max-age=0;"], RESULT, ""),
        ("0007", &["foo=bar; version=1;"], RESULT, "foo=bar"),
        ("0009", &["foo=bar; customvalue=1000;"], RESULT, "foo=bar"),
        ("0010", &["foo=bar; secure;"], RESULT, ""),
        ("0011", &["foo=bar; customvalue=\"1000 or more\";"], RESULT, "foo=bar"),
        ("0012", &["foo=bar; customvalue=\"no trailing semicolon\""], RESULT, "foo=bar"),
        ("0013", &["foo=bar", "foo=qux"], RESULT, "foo=qux"),
        ("0014", &["foo1=bar", "foo2=qux"], RESULT, "foo1=bar; foo2=qux"),
        ("0016", &["z=y", "a=b"], RESULT, "z=y; a=b"),
        ("0017", &["z=y, a=b"], RESULT, "z=y, a=b"),
        ("0018", &["z=y; foo=bar, a=b"], RESULT, "z=y"),
        ("0019", &["foo=b;max-age=3600, c=d;path=/"], RESULT, "foo=b"),
        ("0020", &["a=b", "=", "c=d"], RESULT, "a=b; c=d"),
        ("0021", &["a=b", "=x", "c=d"], RESULT, "a=b; x; c=d"),
        ("0022", &["a=b", "x=", "c=d"], RESULT, "a=b; x=; c=d"),
        ("0023", &["foo", ""], RESULT, "foo"),
        ("0024", &["foo", "="], RESULT, "foo"),
        ("0025", &["foo", "; bar"], RESULT, "foo"),
        ("0026", &["foo", "   "], RESULT, "foo"),
        ("0027", &["foo", "bar"], RESULT, "bar"),
        ("COMMA0001", &["foo=bar, baz=qux"], RESULT, "foo=bar, baz=qux"),
        ("COMMA0002", &["foo=\"bar, baz=qux\""], RESULT, "foo=\"bar, baz=qux\""),
        ("COMMA0003", &["foo=bar; b,az=qux"], RESULT, "foo=bar"),
        ("COMMA0004", &["foo=bar; baz=q,ux"], RESULT, "foo=bar"),
        ("COMMA0005", &["foo=bar; Max-Age=50,399"], RESULT, "foo=bar"),
        ("COMMA0006", &["foo=bar; Expires=Fri, 07 Aug 2119 08:04:19 GMT"], RESULT, "foo=bar"),
        ("COMMA0007", &["foo=bar; Expires=Fri 07 Aug 2119 08:04:19 GMT, baz=qux"], RESULT, "foo=bar"),
    ]);
}

#[test]
fn attributes() {
    check(&[
        ("ATTRIBUTE0001", &["foo=bar; Secure"], RESULT, ""),
        ("ATTRIBUTE0002", &["foo=bar; seCURe"], RESULT, ""),
        ("ATTRIBUTE0003", &["foo=bar; \"Secure\""], RESULT, "foo=bar"),
        ("ATTRIBUTE0004", &["foo=bar; Secure="], RESULT, ""),
        ("ATTRIBUTE0005", &["foo=bar; Secure=aaaa"], RESULT, ""),
        ("ATTRIBUTE0006", &["foo=bar; Secure qux"], RESULT, "foo=bar"),
        ("ATTRIBUTE0007", &["foo=bar; Secure =aaaaa"], RESULT, ""),
        ("ATTRIBUTE0008", &["foo=bar; Secure= aaaaa"], RESULT, ""),
        ("ATTRIBUTE0009", &["foo=bar; Secure; qux"], RESULT, ""),
        ("ATTRIBUTE0010", &["foo=bar; Secure;qux"], RESULT, ""),
        ("ATTRIBUTE0011", &["foo=bar; Secure    ; qux"], RESULT, ""),
        ("ATTRIBUTE0012", &["foo=bar;                Secure"], RESULT, ""),
        ("ATTRIBUTE0013", &["foo=bar;       Secure     ;"], RESULT, ""),
        ("ATTRIBUTE0014", &["foo=bar; Path"], RESULT, "foo=bar"),
        ("ATTRIBUTE0015", &["foo=bar; Path="], RESULT, "foo=bar"),
        ("ATTRIBUTE0016", &["foo=bar; Path=/"], RESULT, "foo=bar"),
        ("ATTRIBUTE0017", &["foo=bar; Path=/qux"], RESULT, ""),
        ("ATTRIBUTE0018", &["foo=bar; Path    =/qux"], RESULT, ""),
        ("ATTRIBUTE0019", &["foo=bar; Path=    /qux"], RESULT, ""),
        ("ATTRIBUTE0020", &["foo=bar; Path=/qux      ; taz"], RESULT, ""),
        ("ATTRIBUTE0021", &["foo=bar; Path=/qux; Path=/"], RESULT, "foo=bar"),
        ("ATTRIBUTE0022", &["foo=bar; Path=/; Path=/qux"], RESULT, ""),
        ("ATTRIBUTE0023", &["foo=bar; Path=/qux; Path=/cookie-parser-result"], RESULT, "foo=bar"),
        ("ATTRIBUTE0024", &["foo=bar; Path=/cookie-parser-result; Path=/qux"], RESULT, ""),
        ("ATTRIBUTE0025", &["foo=bar; qux; Secure"], RESULT, ""),
        ("ATTRIBUTE0026", &["foo=bar; qux=\"aaa;bbb\"; Secure"], RESULT, ""),
    ]);
}

#[test]
fn characters_of_browsers() {
    check(&[
        ("CHARSET0001", &["foo=\u{6625}\u{8282}\u{b7}\u{518c}"], RESULT, "foo=\u{6625}\u{8282}\u{b7}\u{518c}"),
        ("CHARSET0002", &["\u{6625}\u{8282}=\u{5bb6}\u{8def}"], RESULT, "\u{6625}\u{8282}=\u{5bb6}\u{8def}"),
        ("CHARSET0003", &["\u{6625}=\u{5bb6}; \u{5b8c}\u{5168}"], RESULT, "\u{6625}=\u{5bb6}"),
        ("CHARSET0004", &["foo=\"\u{6625}\u{8282}\""], RESULT, "foo=\"\u{6625}\u{8282}\""),
        ("CHROMIUM0002", &["aBc=\"zzz \"   ;"], RESULT, "aBc=\"zzz \""),
        ("CHROMIUM0004", &["aBc=\"zz;pp\" ; ;"], RESULT, "aBc=\"zz"),
        ("CHROMIUM0005", &["aBc=\"zz ;"], RESULT, "aBc=\"zz"),
        ("CHROMIUM0006", &["aBc=\"zzz \"   \"ppp\"  ;"], RESULT, "aBc=\"zzz \"   \"ppp\""),
        ("CHROMIUM0008", &["aBc=A\"B ;"], RESULT, "aBc=A\"B"),
        ("CHROMIUM0009", &["BLAHHH; path=/;"], RESULT, "BLAHHH"),
        ("CHROMIUM0010", &["\"BLA\\\"HHH\"; path=/;"], RESULT, "\"BLA\\\"HHH\""),
        ("CHROMIUM0011", &["a=\"B"], RESULT, "a=\"B"),
        ("CHROMIUM0012", &["=ABC"], RESULT, "ABC"),
        ("CHROMIUM0013", &["ABC=;  path = /"], RESULT, "ABC="),
        ("CHROMIUM0014", &["  A  = BC  ;foo;;;   bar"], RESULT, "A=BC"),
        ("CHROMIUM0015", &["  A=== BC  ;foo;;;   bar"], RESULT, "A=== BC"),
        (
            "CHROMIUM0016",
            &["foo=\"zohNumRKgI0oxyhSsV3Z7D\"  ; expires=Sun, 18-Apr-2127 21:06:29 GMT ; path=/  ;  "],
            RESULT,
            "foo=\"zohNumRKgI0oxyhSsV3Z7D\"",
        ),
        ("CHROMIUM0018", &["    "], RESULT, ""),
        ("CHROMIUM0021", &[""], RESULT, ""),
        ("CHROMIUM0022", &["AAA=BB\0ZYX"], RESULT, ""),
        ("CHROMIUM0023", &["AAA=BB\rZYX"], RESULT, ""),
        ("MOZILLA0001", &["foo=bar; max-age=-1"], RESULT, ""),
        ("MOZILLA0003", &["foo=bar; expires=Thu, 10 Apr 1980 16:33:12 GMT"], RESULT, ""),
        ("MOZILLA0004", &["foo=bar; max-age=60"], RESULT, "foo=bar"),
        ("MOZILLA0005", &["foo=bar; max-age=-20"], RESULT, ""),
        ("MOZILLA0008", &["foo=bar; max-age=60", "foo1=bar; max-age=60"], RESULT, "foo=bar; foo1=bar"),
        (
            "MOZILLA0010",
            &[
                "foo=bar; max-age=60",
                "foo1=bar; max-age=60",
                "foo=differentvalue; max-age=0",
                "foo2=evendifferentvalue; max-age=0",
            ],
            RESULT,
            "foo1=bar",
        ),
        (
            "MOZILLA0011",
            &["test=parser; domain=.parser.test; ;; ;=; ,,, ===,abc,=; abracadabra! max-age=20;=;;"],
            RESULT,
            "",
        ),
        (
            "MOZILLA0012",
            &["test=\"fubar! = foo;bar\\\";\" parser; max-age=6", "five; max-age=2.63,"],
            RESULT,
            "test=\"fubar! = foo; five",
        ),
        ("MOZILLA0013", &["test=kill; max-age=0", "five; max-age=0"], RESULT, ""),
        ("MOZILLA0017", &["six", "seven", " =eight", "test=six"], RESULT, "eight; test=six"),
    ]);
}

#[test]
fn domains() {
    const HOME: &str = "http://home.example.org:8888/cookie-parser-result";
    const SIBLING: &str = "http://sibling.example.org:8888/cookie-parser-result";
    const BELOW: &str = "http://subdomain.home.example.org:8888/cookie-parser-result";
    check(&[
        ("DOMAIN0001", &["foo=bar; domain=home.example.org"], HOME, "foo=bar"),
        ("DOMAIN0002", &["foo=bar; domain=home.example.org"], SIBLING, ""),
        ("DOMAIN0003", &["foo=bar; domain=.home.example.org"], HOME, "foo=bar"),
        ("DOMAIN0004", &["foo=bar; domain=home.example.org"], BELOW, "foo=bar"),
        ("DOMAIN0005", &["foo=bar; domain=.home.example.org"], BELOW, "foo=bar"),
        ("DOMAIN0006", &["foo=bar; domain=.home.example.org"], SIBLING, ""),
        ("DOMAIN0007", &["foo=bar; domain=sibling.example.org"], SIBLING, ""),
        ("DOMAIN0008", &["foo=bar; domain=.example.org"], HOME, "foo=bar"),
        ("DOMAIN0009", &["foo=bar; domain=example.org"], HOME, "foo=bar"),
        ("DOMAIN0010", &["foo=bar; domain=..home.example.org"], HOME, ""),
        ("DOMAIN0011", &["foo=bar; domain=home..example.org"], HOME, ""),
        ("DOMAIN0012", &["foo=bar; domain=  .home.example.org"], HOME, "foo=bar"),
        ("DOMAIN0013", &["foo=bar; domain=  .  home.example.org"], HOME, ""),
        ("DOMAIN0014", &["foo=bar; domain=home.example.org."], HOME, ""),
        ("DOMAIN0015", &["foo=bar; domain=home.example.org.."], HOME, ""),
        ("DOMAIN0016", &["foo=bar; domain=home.example.org ."], HOME, ""),
        ("DOMAIN0017", &["foo=bar; domain=.org"], HOME, ""),
        ("DOMAIN0018", &["foo=bar; domain=.org."], HOME, ""),
        (
            "DOMAIN0019",
            &["foo=bar; domain=home.example.org", "foo2=bar2; domain=.home.example.org"],
            HOME,
            "foo=bar; foo2=bar2",
        ),
        (
            "DOMAIN0020",
            &["foo2=bar2; domain=.home.example.org", "foo=bar; domain=home.example.org"],
            HOME,
            "foo2=bar2; foo=bar",
        ),
        ("DOMAIN0021", &["foo=bar; domain=\"home.example.org\""], HOME, ""),
        (
            "DOMAIN0022",
            &["foo=bar; domain=home.example.org", "foo2=bar2; domain=.example.org"],
            HOME,
            "foo=bar; foo2=bar2",
        ),
        (
            "DOMAIN0023",
            &["foo2=bar2; domain=.example.org", "foo=bar; domain=home.example.org"],
            HOME,
            "foo2=bar2; foo=bar",
        ),
        ("DOMAIN0024", &["foo=bar; domain=.example.org; domain=home.example.org"], SIBLING, ""),
        ("DOMAIN0025", &["foo=bar; domain=home.example.org; domain=.example.org"], SIBLING, "foo=bar"),
        ("DOMAIN0026", &["foo=bar; domain=home.eXaMpLe.org"], HOME, "foo=bar"),
        ("DOMAIN0027", &["foo=bar; domain=home.example.org:8888"], HOME, ""),
        ("DOMAIN0028", &["foo=bar; domain=subdomain.home.example.org"], BELOW, ""),
        ("DOMAIN0029", &["foo=bar"], BELOW, ""),
        ("DOMAIN0033", &["foo=bar; domain=home.example.org"], "http://hoMe.eXaMplE.org:8888/", "foo=bar"),
        ("DOMAIN0034", &["foo=bar; domain=home.example.org; domain=home.example.com"], HOME, ""),
        ("DOMAIN0035", &["foo=bar; domain=home.example.com; domain=home.example.org"], HOME, "foo=bar"),
        ("DOMAIN0039", &["foo=bar; domain=home.example.org; domain=example.org"], HOME, "foo=bar"),
        ("DOMAIN0040", &["foo=bar; domain=example.org; domain=home.example.org"], HOME, "foo=bar"),
        ("DOMAIN0041", &["foo=bar; domain=.sibling.example.org"], SIBLING, ""),
        (
            "DOMAIN0042",
            &["foo=bar; domain=.sibling.home.example.org"],
            "http://sibling.home.example.org:8888/cookie-parser-result",
            "",
        ),
        ("OPTIONAL_DOMAIN0030", &["foo=bar; domain="], HOME, "foo=bar"),
        ("OPTIONAL_DOMAIN0041", &["foo=bar; domain=example.org; domain="], HOME, "foo=bar"),
        ("OPTIONAL_DOMAIN0041", &["foo=bar; domain=example.org; domain="], SIBLING, ""),
        ("OPTIONAL_DOMAIN0042", &["foo=bar; domain=foo.example.org; domain="], HOME, "foo=bar"),
        ("OPTIONAL_DOMAIN0043", &["foo=bar; domain=foo.example.org; domain="], BELOW, ""),
    ]);
}

#[test]
fn names() {
    for name in
        ["1", "$", "!a", "@a", "#a", "$a", "%a", "^a", "&a", "*a", "(a", ")a", "-a", "_a", "+", "\"a", "foo bar"]
    {
        let store = CookieStore::new();
        receive(&store, FROM, &format!("{name}=bar"));
        assert_eq!(sent_to(&store, FROM), format!("{name}=bar"), "NAME0001 to NAME0030");
    }
    check(&[
        ("NAME0017", &["=a=bar"], RESULT, "a=bar"),
        ("NAME0018", &["a =bar"], RESULT, "a=bar"),
        ("NAME0020", &["\"a=b\"=bar"], RESULT, "\"a=b\"=bar"),
        ("NAME0021", &["\"a=b\"=bar", "\"a=qux"], RESULT, "\"a=qux"),
        ("NAME0022", &["   foo=bar"], RESULT, "foo=bar"),
        ("NAME0023", &["foo;bar=baz"], RESULT, "foo"),
        ("NAME0024", &["$Version=1; foo=bar"], RESULT, "$Version=1"),
        ("NAME0025", &["===a=bar"], RESULT, "==a=bar"),
        ("NAME0026", &["foo=bar    "], RESULT, "foo=bar"),
        ("NAME0027", &["foo=bar    ;"], RESULT, "foo=bar"),
        ("NAME0028", &["=a"], RESULT, "a"),
        ("NAME0029", &["="], RESULT, ""),
        ("NAME0031", &["\"foo;bar\"=baz"], RESULT, "\"foo"),
        ("NAME0032", &["\"foo\\\"bar", "\"foo\\\"bar;baz\"=qux"], RESULT, "\"foo\\\"bar"),
        ("NAME0033", &["=foo=bar", "aaa"], RESULT, "aaa"),
        ("VALUE0001", &["foo=  bar"], RESULT, "foo=bar"),
        ("VALUE0002", &["foo=\"bar\""], RESULT, "foo=\"bar\""),
        ("VALUE0003", &["foo=\"  bar \""], RESULT, "foo=\"  bar \""),
        ("VALUE0004", &["foo=\"bar;baz\""], RESULT, "foo=\"bar"),
        ("VALUE0005", &["foo=\"bar=baz\""], RESULT, "foo=\"bar=baz\""),
        ("VALUE0006", &["   foo     =       bar             ;       ttt"], RESULT, "foo=bar"),
    ]);
}

#[test]
fn paths_and_their_order() {
    check(&[
        (
            "ORDERING0001",
            &[
                "key=val0;",
                "key=val1; path=/cookie-parser-result",
                "key=val2; path=/",
                "key=val3; path=/bar",
                "key=val4; domain=.example.org",
                "key=val5; domain=.example.org; path=/cookie-parser-result/foo",
            ],
            "/cookie-parser-result/foo/baz?ordering0001",
            "key=val5; key=val1; key=val2; key=val4",
        ),
        ("PATH0001", &["a=b; path=/", "x=y; path=/cookie-parser-result"], RESULT, "x=y; a=b"),
        ("PATH0002", &["a=b; path=/cookie-parser-result", "x=y; path=/"], RESULT, "a=b; x=y"),
        ("PATH0005", &["foo=bar; path=/cookie-parser-result/foo"], RESULT, ""),
        ("PATH0006", &["foo=bar", "foo=qux; path=/cookie-parser-result/foo"], RESULT, "foo=bar"),
        ("PATH0007", &["foo=bar; path=/cookie-parser-result/foo"], "/cookie-parser-result/foo?7", "foo=bar"),
        ("PATH0008", &["foo=bar; path=/cookie-parser-result/foo"], "/cookie-parser-result/bar?8", ""),
        ("PATH0009", &["foo=bar; path=/cookie-parser-result/foo/qux"], "/cookie-parser-result/foo?9", ""),
        ("PATH0010", &["foo=bar; path=/cookie-parser-result/foo/qux"], "/cookie-parser-result/foo/qux", "foo=bar"),
        ("PATH0011", &["foo=bar; path=/cookie-parser-result/foo/qux"], "/cookie-parser-result/bar/qux", ""),
        ("PATH0014", &["foo=bar; path=/cookie-parser-result/foo/qux/"], "/cookie-parser-result/foo/qux", ""),
        ("PATH0015", &["foo=bar; path=/cookie-parser-result/foo/qux/"], "/cookie-parser-result/foo/qux/", "foo=bar"),
        ("PATH0016", &["foo=bar; path=/cookie-parser-result/foo/"], "/cookie-parser-result/foo/qux", "foo=bar"),
        ("PATH0017", &["foo=bar; path=/cookie-parser-result/foo/"], "/cookie-parser-result/foo//qux", "foo=bar"),
        ("PATH0018", &["foo=bar; path=/cookie-parser-result/foo/"], "/cookie-parser-result/fooqux", ""),
        ("PATH0019", &["foo=bar; path"], RESULT, "foo=bar"),
        ("PATH0022", &["foo=bar; path= /"], RESULT, "foo=bar"),
        ("PATH0023", &["foo=bar; Path=/cookie-PARSER-result"], RESULT, ""),
        ("PATH0024", &["foo=bar; path=/cookie-parser-result/foo/qux?"], "/cookie-parser-result/foo/qux?24", ""),
        ("PATH0025", &["foo=bar; path=/cookie-parser-result/foo/qux#"], "/cookie-parser-result/foo/qux?25", ""),
        ("PATH0026", &["foo=bar; path=/cookie-parser-result/foo/qux;"], "/cookie-parser-result/foo/qux", "foo=bar"),
        ("PATH0027", &["foo=bar; path=\"/cookie-parser-result/foo/qux;\""], "/cookie-parser-result/foo/qux", "foo=bar"),
        ("PATH0028", &["foo=bar; path=/cookie-parser-result/f%6Fo/bar"], "/cookie-parser-result/foo/bar?28", ""),
        (
            "PATH0029",
            &["a=b;       path    =       /cookie-parser-result   ", "x=y;       path    =       /book   "],
            RESULT,
            "a=b",
        ),
        ("PATH0030", &["foo=bar; path=/dog; path="], RESULT, "foo=bar"),
        ("PATH0031", &["foo=bar; path=; path=/dog"], RESULT, ""),
        (
            "PATH0032",
            &["foo=bar; path=/cookie-parser-result", "foo=qux; path=/cookie-parser-result/"],
            "/cookie-parser-result/dog?path0032",
            "foo=qux; foo=bar",
        ),
    ]);
}
