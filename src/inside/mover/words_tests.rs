use super::*;

#[rstest::rstest]
#[case(0, 1, PART)]
#[case(PART, 1, PART)]
#[case(PART + 1, 2, PART)]
#[case(PART * MAX_PARTS, MAX_PARTS, PART)]
#[case(PART * MAX_PARTS + 1, 5_001, PART * 2)]
#[case(u64::MAX, 8_192, 1 << 51)]
fn parts_cover_a_file_and_are_never_too_many(#[case] size: u64, #[case] count: u64, #[case] part: u64) {
    assert_eq!((part_count(size), part_size(size)), (count, part));
    let last = u32::try_from(count - 1).unwrap();
    assert_eq!(part_range(size, last).end, size);
    assert_eq!(part_range(size, 0).start, 0);
}

#[test]
fn a_request_is_never_shown() {
    let request = Request { url: "https://secret".into(), headers: vec![("secret".into(), "secret".into())] };
    assert!(!format!("{request:?}").contains("secret"));
}
