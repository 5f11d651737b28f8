//! The `Cookie` request header.

/// Every value that `header` holds for the cookie `name`, in the order sent.
///
/// Another program on the same host name can set a cookie of the same name, so there may be several.
pub fn values<'a>(header: &'a str, name: &'a str) -> impl Iterator<Item = &'a str> {
    header.split(';').filter_map(move |pair| {
        let (found, value) = pair.trim().split_once('=')?;
        (found == name).then_some(value)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_found_among_others() {
        let header =
            "a=1; heliostat-80=x;heliostat-8080=first ; heliostat-8080=sec=ond; =; ;heliostat-8080";
        let found: Vec<_> = values(header, "heliostat-8080").collect();
        assert_eq!(found, ["first", "sec=ond"]);
        assert_eq!(values("", "a").count(), 0);
    }
}
