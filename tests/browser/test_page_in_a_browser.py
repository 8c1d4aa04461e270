"""The page in a real browser: what a reader finds, types, presses and sees."""

import json
import re
import statistics
from collections import Counter
from contextlib import suppress
from itertools import pairwise

import pytest
import samples
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import TimeoutError

from conftest import DESKTOP, PHONE, ROOT, SMALL_PHONE
from torchnotes.changes import compare
from torchnotes.page.data import group_of
from torchnotes.page.model import columns_of
from torchnotes.record import reader

VIEWS = ("notes", "versions", "measurements")
A_NOTE = "s03-from_numpy_shares_memory"
A_MYTH = "s05-loading_into_a_meta_model_does_nothing"
SHOWN = "els => els.filter(el => el.checkVisibility()).map(el => el.id)"
SETTLED = "() => new Promise(done => requestAnimationFrame(() => setTimeout(done)))"


def shown_notes(page):
    return page.eval_on_selector_all("article.note", SHOWN)


def notes_like(page, selector):
    return page.eval_on_selector_all(f"article.note{selector}", "els => els.map(el => el.id)")


def count_said(page):
    return page.locator("#shown").inner_text()


def is_current(page, view):
    return page.eval_on_selector_all("section.view", SHOWN) == [view]


def is_in_sight(page, identifier):
    """Whether something comes to rest in the upper half of the window."""
    top = "document.getElementById(id).getBoundingClientRect().top"
    with suppress(TimeoutError):
        page.wait_for_function(f"id => 0 <= {top} && {top} < innerHeight / 2", arg=identifier)
    page.evaluate(SETTLED)
    return 0 <= page.evaluate(f"id => {top}", identifier) < page.viewport_size["height"] / 2


def overflow(page):
    return page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")


# Finding notes


def found_for(page, text):
    """What a search finds, the best first."""
    page.locator("#search").fill(text)
    return page.eval_on_selector_all("#found article.note", "all => all.map(each => each.id)")


def test_a_search_narrows_and_says_to_how_many(page):
    everything = shown_notes(page)
    assert count_said(page) == f"{len(everything)} of {len(everything)} notes"

    found = found_for(page, "from_numpy")
    while page.locator("#more").is_visible():
        page.locator("#more").click()
    found = shown_notes(page)

    assert A_NOTE in found
    assert 20 < len(found) < len(everything) / 4
    assert count_said(page) == f"{len(found)} of {len(everything)} notes"
    for identifier in found:
        assert "from_numpy" in f"{identifier} {page.locator(f'#{identifier}').text_content()}"
    counts = page.eval_on_selector_all("nav[aria-label=Sections] .count", "all => all.map(each => +each.textContent)")
    assert sum(counts) == len(found)


def test_words_of_a_search_may_stand_anywhere_in_any_case(page):
    found = found_for(page, "MEMORY from_numpy")

    assert A_NOTE in found
    assert found_for(page, "from_numpy memory") == found


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("softmax cross entropy", "s08-a_softmax_before_cross_entropy_goes_unnoticed"),
        ("broadcst", "s02-in_place_operations_do_not_broadcast_their_target"),
        ("gradiant acumulate", "s01-gradients_accumulate"),
        ("amp", "s05-mixed_precision_names_its_device"),
        ("reproducibility", "s04-each_library_has_a_seed_of_its_own"),
        ("device mismatch", "s05-tensors_on_two_devices_do_not_mix"),
        ("cuda error", "s05-an_error_of_a_device_is_still_a_runtime_error"),
        ("oom", "s05-out_of_memory_has_a_name_for_every_device"),
        ("CrossEntropy class weights", "s08-class_weights_are_one_number_a_class_in_the_dtype_of_the_logits"),
        ("mat1 and mat2 shapes cannot be multiplied (3x4 and 5x6)", "s02-inner_dimensions_must_match"),
        (
            "RuntimeError: Expected all tensors to be on the same device, but found at least two devices, "
            "cuda:0 and cpu! (when checking argument for argument mat1 in method wrapper_CUDA_addmm)",
            "s05-matrix_products_do_not_mix_devices_either",
        ),
        (
            "one of the variables needed for gradient computation has been modified by an inplace operation: "
            "[torch.FloatTensor [3]] is at version 1; expected version 0 instead.",
            "s01-an_in_place_change_of_a_saved_value_is_caught",
        ),
        ("does not require grad and does not have a grad_fn", "s01-backward_without_a_graph_raises"),
    ],
)
def test_what_people_type_finds_the_note_among_the_first(page, text, wanted):
    assert wanted in found_for(page, text)[:6]


def test_whole_words_come_before_parts_and_claims_before_code(page):
    found = found_for(page, "cat")

    claims = [page.locator(f"#{identifier} :is(h3, h4)").inner_text() for identifier in found[:2]]
    assert all(re.search(r"\bcat\b", claim) for claim in claims), claims


def test_what_was_found_is_marked(page):
    page.locator("#search").fill("from_numpy")
    page.wait_for_function("() => CSS.highlights.get('found')?.size > 0")

    marked = page.evaluate("[...CSS.highlights.get('found')].map(range => range.toString().toLowerCase())")
    assert "from_numpy" in marked

    page.locator("#search").fill("")
    assert page.evaluate("CSS.highlights.get('found').size") == 0


def test_where_little_is_found_other_words_are_offered(page):
    page.locator("#search").fill("from_numpi quagga")
    page.locator("#search").fill("embeding dropuot")
    offers = page.locator("#suggestions button")
    offers.first.wait_for()
    word = offers.first.inner_text()

    offers.first.click()

    assert page.locator("#search").input_value() == word
    assert found_for(page, word)


def test_a_search_in_parts_says_so(page):
    assert found_for(page, "backward quagga")
    page.locator("#suggestions").wait_for()

    assert "No note has all of these words" in page.locator("#suggestions").inner_text()


def test_a_search_takes_any_sign_as_it_is(page):
    for text in ("(", "\\", "[a-z", "**", "<b>", "é", '"'):
        page.locator("#search").fill(text)

        assert " of " in count_said(page)


@pytest.mark.parametrize(
    ("value", "selector"),
    [
        ("myth", "[data-is~=myth]"),
        ("advice", "[data-is~=advice]"),
        ("holds", "[data-is~=holds]"),
        ("device", "[data-is~=device]"),
        ("change", "[data-is~=change]"),
        ("unchecked", "[data-is~=unchecked]"),
        ("elsewhere", "[data-is~=elsewhere]"),
    ],
)
def test_each_filter_shows_its_notes_and_no_other(page, value, selector):
    wanted = notes_like(page, selector)

    page.locator(f".filter[value={value}]").check(force=True)

    assert wanted
    assert shown_notes(page) == wanted
    assert count_said(page).startswith(f"{len(wanted)} of ")
    sections = {identifier[:3] for identifier in wanted}
    assert set(page.eval_on_selector_all("section.section", SHOWN)) == sections

    page.locator(f".filter[value={value}]").uncheck(force=True)
    assert len(shown_notes(page)) > len(wanted)


def test_a_section_a_filter_and_a_search_narrow_together(page):
    page.locator("#filter-section").select_option("03")
    everything = page.eval_on_selector_all("#s03 article.note", "all => all.map(each => each.id)")
    assert shown_notes(page) == everything

    page.locator(".filter[value=myth]").check(force=True)
    myths = [identifier for identifier in notes_like(page, "[data-is~=myth]") if identifier in everything]
    assert shown_notes(page) == myths

    page.locator("#search").fill("copy")
    found = shown_notes(page)
    assert found
    assert set(found) <= set(myths)
    assert count_said(page).startswith(f"{len(found)} of ")


def test_where_nothing_is_found_the_page_says_so_and_offers_everything(page):
    page.locator("#search").fill("quagga zyzzyva")

    assert shown_notes(page) == []
    assert count_said(page).startswith("0 of ")
    assert page.locator("#nothing").is_visible()

    page.locator("#nothing button").click()
    assert len(shown_notes(page)) == page.locator("article.note").count()
    assert page.locator("#search").input_value() == ""


# Keys


def test_keys_search_clear_and_walk(page):
    page.keyboard.press("/")
    page.keyboard.type("from_numpy")
    narrowed = shown_notes(page)

    assert page.locator("#search").input_value() == "from_numpy"  # without the slash; and j or k would be typed
    assert A_NOTE in narrowed

    page.keyboard.press("Escape")
    everything = shown_notes(page)
    assert page.locator("#search").input_value() == ""
    assert len(everything) > len(narrowed)
    assert everything == notes_like(page, "")
    assert [identifier[:3] for identifier in (everything[0], everything[-1])] == ["s01", "s17"]  # each in its place

    walked = []
    for key in "jjjk":
        page.keyboard.press(key)
        walked.append(page.evaluate("document.activeElement.closest('article.note').id"))
        assert is_in_sight(page, walked[-1])
    assert walked == [everything[place] for place in (0, 1, 2, 1)]


def test_letters_that_are_typed_are_no_keys(page):
    page.locator("#search").fill("")
    page.locator("#search").press_sequentially("jk?/")

    assert page.locator("#search").input_value() == "jk?/"
    assert not page.locator("dialog").is_visible()


def test_walking_leaves_out_what_is_hidden(page):
    page.locator(".filter[value=advice]").check(force=True)
    wanted = shown_notes(page)

    walked = []
    for _ in wanted:
        page.keyboard.press("j")
        walked.append(page.evaluate("document.activeElement.closest('article.note').id"))

    assert walked == wanted


def test_help_says_the_keys_and_goes_away(page):
    page.keyboard.press("?")
    assert page.locator("dialog").is_visible()
    assert page.locator("dialog kbd").all_inner_texts() == ["/", "Esc", "j", "k", "?"]

    page.keyboard.press("Escape")
    assert not page.locator("dialog").is_visible()


def test_the_keyboard_reaches_everything_and_one_sees_where_it_is(page):
    """From the top on, each kind of thing that can be used gets the focus, and its picture changes when it does."""
    assert page.locator("[tabindex]:not([tabindex='0']):not([tabindex='-1'])").count() == 0
    reached = []
    for _ in range(60):
        page.keyboard.press("Tab")
        kind = page.evaluate(
            "() => { const it = document.activeElement;"
            " return it.id || it.type || it.closest('nav')?.ariaLabel || it.className || it.tagName }"
        )
        if kind not in reached:
            reached.append(kind)
            assert focus_shows(page), kind

    assert {"skip", "Views", "Sections", "keys", "theme", "search", "filter-section", "checkbox"} <= set(reached)
    assert {"permalink", "button"} <= set(reached)


def focus_shows(page):
    """Whether what has the focus looks different from how it looks without."""
    page.evaluate(SETTLED)
    box = page.evaluate(
        "() => { const it = document.activeElement, seen = it.closest('label') ?? it,"
        " {x, y, width, height} = seen.getBoundingClientRect(); return {x, y, width, height} }"
    )
    x, y = max(box["x"] - 8, 0), max(box["y"] - 8, 0)
    clip = {"x": x, "y": y, "width": min(box["width"] + 16, 1280 - x), "height": min(box["height"] + 16, 800 - y)}
    assert clip["width"] > 0, "it is outside the window"
    assert clip["height"] > 0, "it is outside the window"
    focused = page.screenshot(clip=clip, animations="disabled")
    page.evaluate("() => { window.was = document.activeElement; window.was.blur() }")
    blurred = page.screenshot(clip=clip, animations="disabled")
    page.evaluate("() => window.was.focus({ preventScroll: true, focusVisible: true })")
    return focused != blurred


def test_a_note_can_be_copied_without_a_mouse(page):
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.locator(f"#{A_NOTE} button.copy").focus()
    page.keyboard.press("Enter")

    assert "from_numpy" in clipboard(page)


# Addresses


@pytest.mark.parametrize("size", [DESKTOP, PHONE], ids=["desktop", "phone"])
def test_a_link_to_a_note_opens_it_wherever_it_is(visit, site, size):
    last = visit(site.path).locator("article.note").last.get_attribute("id")
    for identifier in (A_NOTE, last, "s09"):
        page = visit(site.path, f"#{identifier}", viewport=size)

        assert is_current(page, "notes")
        assert is_in_sight(page, identifier)


@pytest.mark.parametrize("view", VIEWS)
def test_a_link_to_a_view_opens_it(visit, site, view):
    page = visit(site.path, f"#{view}")

    assert is_current(page, view)
    assert page.locator("nav[aria-label=Views] [aria-current]").get_attribute("href") == f"#{view}"


def test_a_link_to_a_note_that_a_filter_hides_shows_it(page):
    page.locator("#search").fill("tqdm")
    assert A_NOTE not in shown_notes(page)

    page.evaluate("id => { location.hash = id }", A_NOTE)
    page.evaluate(SETTLED)

    assert A_NOTE in shown_notes(page)
    assert is_in_sight(page, A_NOTE)


def test_the_way_back_leads_to_the_view_one_came_from(page):
    page.locator("nav[aria-label=Views] a[href='#versions']").click()
    assert is_current(page, "versions")
    page.locator("#matrix tbody a").first.click()
    assert is_current(page, "notes")

    page.go_back()
    assert is_current(page, "versions")
    page.go_back()
    assert is_current(page, "notes")


@pytest.mark.parametrize(
    "fragment", ["#s03-no_such_note", "#s99", "#", "#%", "#%E0%A4%A", "#a'b\"c]", "#data", "#main"]
)
def test_a_link_to_nothing_opens_the_notes(visit, site, fragment):
    page = visit(site.path, fragment)

    assert is_current(page, "notes")


def test_a_link_to_a_note_that_is_not_there_says_so_and_helps(visit, site):
    page = visit(site.path, "#s03-from_numpy_shares_memry")

    assert "nothing here that is called s03-from_numpy_shares_memry" in page.locator("#unknown").inner_text()

    page.locator("#unknown button").click()
    assert A_NOTE in shown_notes(page)
    assert not page.locator("#unknown").is_visible()


def test_what_was_searched_and_filtered_is_in_the_address(visit, site, page):
    page.locator("#search").fill("memory & more")
    page.locator("#filter-section").select_option("03")
    page.locator(".filter[value=myth]").check(force=True)
    found = shown_notes(page)
    sent = page.evaluate("location.hash")
    assert sent == "#notes?q=memory+%26+more&section=03&only=myth"

    page.reload()
    assert shown_notes(page) == found
    assert shown_notes(visit(site.path, sent)) == found

    page.go_back()
    page.evaluate(SETTLED)
    assert not page.locator(".filter[value=myth]").is_checked()
    assert page.locator("#search").input_value() == "memory & more"


def test_the_way_back_from_a_note_leads_to_the_search_it_was_found_with(page):
    page.locator("#search").fill("from_numpy")
    found = shown_notes(page)
    page.locator(f"#{found[1]} .permalink").click()
    page.locator("nav[aria-label=Sections] a[href='#s09']").click()
    assert is_in_sight(page, "s09")

    page.go_back()
    page.go_back()
    page.evaluate(SETTLED)

    assert page.locator("#search").input_value() == "from_numpy"
    assert shown_notes(page) == found


def test_escape_leads_back_to_where_the_search_began(page):
    page.evaluate("id => { location.hash = id }", A_NOTE)
    assert is_in_sight(page, A_NOTE)

    page.keyboard.press("/")
    page.keyboard.type("softmax")
    assert A_NOTE not in shown_notes(page)
    page.keyboard.press("Escape")

    assert is_in_sight(page, A_NOTE)


def test_a_note_that_was_opened_leads_to_those_around_it(page):
    order = notes_like(page, "")
    page.evaluate("id => { location.hash = id }", A_NOTE)
    page.locator(f"#{A_NOTE} .turn").first.wait_for()

    around = page.eval_on_selector_all(
        f"#{A_NOTE} .turn",
        "all => all.map(p => [p.innerText.split('\\n')[0], ...[...p.querySelectorAll('a')].map(a => a.hash)])",
    )
    at = order.index(A_NOTE)
    assert around[0][-2:] == [f"#{order[at - 1]}", f"#{order[at + 1]}"]
    way = page.eval_on_selector_all("#start li a", "all => all.map(a => a.hash.slice(1))")
    assert around[1][0] == f"Start here, {way.index(A_NOTE) + 1} of {len(way)}"
    assert around[1][-1] == f"#{way[way.index(A_NOTE) + 1]}"

    page.locator(f"#{A_NOTE} .turn [rel=next]").first.click()
    assert is_in_sight(page, order[at + 1])
    assert page.locator(".note .turn").count() >= 1
    assert page.locator(f"#{A_NOTE} .turn").count() == 0


def test_the_sidebar_opens_the_topics_of_the_section_that_is_read(page):
    page.locator("nav[aria-label=Sections] a[href='#s03']").click()
    topics = page.locator(".side .topics:visible a")
    topics.first.wait_for()
    wanted = page.eval_on_selector_all("#s03 .topic", "all => all.map(each => '#' + each.id)")

    assert topics.evaluate_all("all => all.map(a => a.hash)") == wanted
    topics.last.click()
    assert is_in_sight(page, wanted[-1].removeprefix("#"))


def test_the_way_from_easy_to_hard_is_a_link_away(page):
    page.locator(".side a[href='#start']").click()

    link = page.locator("#start li a").first
    assert link.is_visible()
    link.click()
    assert is_in_sight(page, link.get_attribute("href").removeprefix("#"))


def test_a_reload_keeps_where_one_is_and_the_colours_one_chose(page):
    page.locator("nav[aria-label=Views] a[href='#versions']").click()
    page.locator("#theme").click()
    page.locator("#theme").click()
    assert page.locator("html").get_attribute("data-theme") == "dark"

    page.reload()

    assert is_current(page, "versions")
    assert page.locator("html").get_attribute("data-theme") == "dark"


# Code


def clipboard(page):
    return page.evaluate("navigator.clipboard.readText()")


def test_what_is_copied_is_python_that_runs_at_a_prompt(page):
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    for identifier in (A_NOTE, *notes_like(page, ":has(pre.code)")[::97]):
        button = page.locator(f"#{identifier} button.copy").first
        button.click()
        page.locator(f"#{identifier} button.copy", has_text="Copied").wait_for()
        text = clipboard(page)

        assert compile(text, identifier, "exec")
        assert text.strip().endswith(page.locator(f"#{identifier} pre.code").text_content().strip())
        assert button.inner_text() == "Copied"
        assert button.get_attribute("aria-label").startswith("Copy: ")
    for identifier in notes_like(page, ""):
        assert compile(page.evaluate("id => window.notes.runnable(id)", identifier), identifier, "exec")


def test_copying_works_where_the_browser_keeps_its_clipboard_to_itself(page):
    page.context.grant_permissions(["clipboard-read"])
    page.evaluate("() => { navigator.clipboard.writeText = () => Promise.reject(new Error('not allowed')) }")

    page.locator(f"#{A_NOTE} button.copy").click()

    assert "from_numpy" in clipboard(page)


@pytest.mark.parametrize("width", [1440, 1024, 390])
def test_no_code_is_out_of_sight_or_under_a_button(visit, site, width):
    page = visit(site.path, viewport={"width": width, "height": 900})
    page.evaluate("document.querySelectorAll('.note').forEach(note => { note.style.contentVisibility = 'visible' })")

    hidden = page.eval_on_selector_all("pre", "all => all.filter(pre => pre.scrollWidth > pre.clientWidth + 1).length")
    covered = page.eval_on_selector_all(
        "pre.code",
        "all => all.filter(pre => { const button = pre.parentElement.querySelector('.copy').getBoundingClientRect();"
        " return button.bottom > pre.getBoundingClientRect().top + 1 }).length",
    )
    assert (hidden, covered) == (0, 0)


def test_only_what_scrolls_is_stopped_at(visit, site):
    page = visit(site.path, viewport=PHONE)
    page.evaluate("document.querySelectorAll('.note').forEach(note => { note.style.contentVisibility = 'visible' })")
    page.evaluate(SETTLED)
    scrolls = "each.scrollWidth > each.clientWidth + 1 || each.scrollHeight > each.clientHeight + 1"

    stopped, silent = page.evaluate(
        "() => { const all = [...document.querySelectorAll('#notes .scrolls')].filter(each => each.checkVisibility());"
        f" return [all.filter(each => each.tabIndex === 0 && !({scrolls})).length,"
        f" all.filter(each => each.tabIndex !== 0 && ({scrolls})).length] }}"
    )
    assert (stopped, silent) == (0, 0)
    assert page.locator("#notes pre[tabindex]").count() == 0
    assert page.locator("#notes .scrolls[tabindex]").count() > 0


def test_each_button_has_a_name_of_its_own(page):
    names = page.eval_on_selector_all(
        "button, .permalink", "all => all.map(each => each.ariaLabel ?? each.textContent.trim()).filter(Boolean)"
    )

    assert len(names) > 2000
    assert [name for name, times in Counter(names).items() if times > 1] == []
    assert "Copy: from numpy shares memory" in names


def test_code_is_coloured_when_it_comes_into_sight_and_stays_what_it_was(page):
    code = page.locator(f"#{A_NOTE} pre.code")
    plain = code.text_content()
    assert code.locator("span").count() == 0

    code.scroll_into_view_if_needed()
    code.locator("span.k").first.wait_for()

    assert code.text_content() == plain
    assert "assert" in code.locator("span.k").all_text_contents()


# Versions


def test_what_is_shown_of_a_comparison_is_all_of_it(visit, site):
    page = visit(site.path, "#versions")
    columns = [column.record for column in columns_of(map(reader.read, site.paths))]
    torches = [record.environment["torch"].partition("+")[0] for record in columns]
    before, after = torches.index("2.5.1"), torches.index("2.6.0")

    page.locator("#before").select_option(index=before)
    page.locator("#after").select_option(index=after)

    expected = compare.changes(columns[before], columns[after])
    shown = page.locator("#changes").text_content()
    heads = page.eval_on_selector_all("#changes [data-kind]", "els => els.map(el => el.dataset.kind)")
    assert set(heads) == {group_of(change) for change in expected}
    assert [head for head in heads if head in compare.EFFECTS] == [head for head in compare.EFFECTS if head in heads]
    for head in heads:
        of_group = [change for change in expected if group_of(change) == head]
        assert page.locator(f"#changes [data-kind='{head}'] li").count() == len(of_group)
    links = page.eval_on_selector_all("#changes li a", "all => all.map(a => a.hash.replace(/^#s\\d+/, ''))")
    for change in expected:
        assert f"-{change.note.removeprefix('test_')}" in links
        if change.kind in compare.CROSSED:
            assert compare.CROSSINGS[change.crossing].lower() in shown.lower()
        else:
            assert change.reason in shown
    for tag in page.locator("#changes [data-kind='code stops'] .tag").all_inner_texts():
        assert tag.endswith("true from torch 2.6 on") or tag.startswith("on ")
    for name, left, right in compare.differences(columns[before], columns[after]):
        assert name in shown
        assert f"{left or 'none'} → {right or 'none'}" in shown

    page.locator("#before").select_option(index=after)
    assert page.locator("#changes li").count() == 0


def test_the_two_releases_are_in_the_address(visit, site):
    page = visit(site.path, "#versions")
    page.locator("#before").select_option(label="torch 2.4.1")
    page.locator("#after").select_option(label="torch 2.9.1")
    shown = page.locator("#changes").inner_text()
    sent = page.evaluate("location.hash")

    assert sent == "#versions?from=2.4.1&to=2.9.1"
    page.reload()
    assert page.locator("#changes").inner_text() == shown
    assert visit(site.path, sent).locator("#changes").inner_text() == shown
    page.locator("#changes a").first.click()
    assert is_current(page, "notes")
    page.go_back()
    page.evaluate(SETTLED)
    assert is_current(page, "versions")
    assert page.locator("#changes").inner_text() == shown
    page.go_back()
    page.evaluate(SETTLED)
    assert page.locator("#after").input_value() != page.evaluate("String(names.indexOf('2.9.1'))")

    assert "the way back" not in page.locator("#changes").inner_text()
    page.locator("#swap").click()
    assert "the way back" in page.locator("#changes").inner_text()


def test_on_paper_a_comparison_is_whole_and_says_of_what(visit, site):
    page = visit(site.path, "#versions?from=2.3.1&to=2.9.1")
    page.locator("#changes details").first.evaluate("each => { each.open = false }")
    page.emulate_media(media="print")
    page.evaluate("dispatchEvent(new Event('beforeprint'))")

    assert page.locator("#between").inner_text() == "From torch 2.3.1 to torch 2.9.1"
    assert page.locator("#changes li").first.is_visible()
    assert page.locator("#changes details:not([open])").count() == 0
    assert not page.locator("#before").is_visible()
    assert not page.locator("#matrix").is_visible()

    page.evaluate("dispatchEvent(new Event('afterprint'))")
    assert page.locator("#changes details:not([open])").count() >= 1


def cells_of(page):
    """The rows of the table of all runs, a cell for each run: its word, and what is drawn on its left."""
    looks = "getComputedStyle(td).borderLeft + getComputedStyle(td).boxShadow"
    rows = page.eval_on_selector_all(
        "#matrix tbody tr:has(td)",
        f"all => all.map(row => [...row.querySelectorAll('td')].map(td => [td.textContent, {looks}, td.colSpan]))",
    )
    return [
        [(word, look if first else None) for word, look, span in row for first in [True] + [False] * (span - 1)]
        for row in rows
    ]


def test_the_matrix_draws_the_boundaries(visit, site):
    page = visit(site.path, "#versions")
    rows = cells_of(page)

    assert page.locator("#matrix thead th").count() == len(site.paths) + 1
    assert rows
    plain = {row[0][1] for row in rows}
    for row in rows:
        assert len(row) == len(site.paths)
        words = [word for word, _ in row]
        assert set(words) <= {"held", "failed", "other side", "not checked", "not run"}
        assert len(set(words) - {"not run"}) > 1
        for left, right in pairwise(row):
            if left[0] != right[0] and "not run" not in (left[0], right[0]):
                assert right[1] not in plain


def test_the_matrix_shows_the_rest_when_asked(visit, site):
    page = visit(site.path, "#versions")
    few = page.locator("#matrix tbody tr:has(td)").count()

    page.locator("#matrix-all").check(force=True)

    keys = {key for path in site.paths for key in reader.read(path).outcomes}
    assert page.locator("#matrix tbody tr:has(td)").count() == len(keys) > few
    page.locator("#matrix-all").uncheck(force=True)
    assert page.locator("#matrix tbody tr:has(td)").count() == few


def test_the_first_column_and_the_head_of_the_matrix_stay_in_sight(visit, site):
    page = visit(site.path, "#versions", viewport=PHONE)
    page.locator("#matrix-all").check(force=True)
    frame = page.locator(".matrix")
    frame.scroll_into_view_if_needed()
    frame.evaluate("frame => frame.scrollTo(400, 2000)")
    page.evaluate(SETTLED)

    inside = frame.evaluate("frame => [frame.getBoundingClientRect().left, frame.getBoundingClientRect().top]")
    first = page.eval_on_selector_all(
        "#matrix tbody th[scope=row]", "all => all.map(th => th.getBoundingClientRect().left)"
    )
    assert {round(left - inside[0]) for left in first} <= {0, 1}
    assert frame.evaluate("frame => frame.scrollLeft") > 0


# Failures and hostile texts


@pytest.fixture(scope="session")
def newest(records_of_here):
    return json.loads(max(records_of_here, key=lambda path: reader.read(path).document["made"]).read_text("utf-8"))


def test_failures_come_first_with_what_they_teach(visit, build, newest):
    teaching = "<script>pwned=1</script> it was 1 & not 2"
    page = visit(build([newest, samples.failing(newest, teaching)]).path)

    failures = page.locator("#failures")
    assert failures.is_visible()
    assert failures.locator("article").count() == 3
    assert failures.inner_text().count(f"found:   {teaching}") == 3
    assert page.evaluate("document.getElementById('failures').getBoundingClientRect().top") < page.evaluate(
        "document.querySelector('article.note').getBoundingClientRect().top"
    )
    assert page.evaluate("window.pwned") is None
    page.locator(".filter[value=failed]").check(force=True)
    failed = shown_notes(page)
    assert len(failed) == 3
    links = failures.locator("a[href^='#s']").evaluate_all("all => all.map(a => a.getAttribute('href'))")
    assert links == [f"#{identifier}" for identifier in failed]
    failures.locator("a").last.click()
    assert is_in_sight(page, failed[-1])
    assert teaching in page.locator(f"#{failed[-1]}").inner_text()


def test_without_failures_there_is_no_word_of_them(page):
    assert page.locator("#failures").count() == 0


@pytest.fixture(scope="session")
def hostile(build, newest, records_of_here, tmp_path_factory):
    """A page of which every text tries to do harm: those of the records, the notes and the measurements."""
    folder = tmp_path_factory.mktemp("hostile")
    bench = folder / "bench.json"
    bench.write_text(json.dumps(samples.bench(samples.HOSTILE)), encoding="utf-8")
    older = json.loads(records_of_here[0].read_text("utf-8"))
    documents = [samples.hostile_record(document) for document in (older, newest)]
    own = build(documents, "--bench", bench, "--notes", samples.hostile_notes(folder / "notes"))
    return [own, build(documents)]


def test_nothing_that_a_text_holds_is_carried_out(visit, hostile):
    """Not even if the page had no policy against it: the texts are texts."""
    for built in hostile:
        page = visit(built.path, bypass_csp=True)
        for view in VIEWS:
            page.locator(f"nav[aria-label=Views] a[href='#{view}']").click()
        page.locator("nav[aria-label=Views] a[href='#versions']").click()
        page.locator("#matrix-all").check(force=True)
        page.locator("#before").select_option(index=1)
        page.locator("#after").select_option(index=0)
        page.locator("nav[aria-label=Views] a[href='#notes']").click()
        page.locator("#search").fill("<img src=x")
        page.evaluate(SETTLED)

        assert page.evaluate("window.pwned") is None
        assert page.locator("script").count() == 2
        assert page.locator("img, iframe, object, embed, base, template, [style*=url]").count() == 0
        addresses = page.eval_on_selector_all("a", "all => all.map(a => a.getAttribute('href'))")
        assert all(address.startswith(("#", "https://")) for address in addresses)
        attributes = page.evaluate("[...document.querySelectorAll('*')].flatMap(each => each.getAttributeNames())")
        assert not [name for name in attributes if name.startswith("on")]
        texts = page.locator("body").text_content()
        assert "<script>pwned=1</script>" in texts
        assert "{{ 7*7 }}" in texts
        assert "49" not in page.locator("#changes").text_content()


def test_no_two_things_have_one_name_even_then(visit, hostile, site):
    for built in (site, *hostile):
        page = visit(built.path)
        names = page.eval_on_selector_all("[id]", "all => all.map(each => each.id)")

        assert sorted(names) == sorted(set(names))


# Looks


def test_the_colours_follow_the_system_until_one_is_chosen(visit, site):
    page = visit(site.path)
    light = background(page)
    page.emulate_media(color_scheme="dark")
    dark = background(page)
    assert brightness(light) > 200 > 80 > brightness(dark)

    seen = []
    for _ in range(3):
        page.locator("#theme").click()
        page.evaluate(SETTLED)
        seen.append((page.locator("#theme").inner_text(), background(page)))
    assert seen == [("Light", light), ("Dark", dark), ("Auto", dark)]


def background(page):
    return page.evaluate("getComputedStyle(document.body).backgroundColor")


def brightness(colour):
    return sum(map(float, colour.strip("rgba()").split(",")[:3])) / 3


@pytest.mark.parametrize("size", [PHONE, SMALL_PHONE], ids=["390", "360"])
def test_a_phone_is_wide_enough(visit, site, size):
    page = visit(site.path, viewport=size, is_mobile=True, has_touch=True)
    for view in VIEWS:
        page.locator(f"nav[aria-label=Views] a[href='#{view}']").tap()
        assert is_current(page, view)
        if view == "versions":
            page.locator("#matrix-all").check(force=True)
        page.evaluate(SETTLED)
        assert overflow(page) <= 0, view
    page.locator("nav[aria-label=Views] a[href='#notes']").tap()
    page.locator("#search").tap()
    page.locator("#search").fill("shares")
    assert shown_notes(page)
    page.locator("#search").fill("")
    page.locator("nav[aria-label=Sections] a[href='#s03']").tap()
    assert is_in_sight(page, "s03")


def test_on_paper_there_are_the_notes_and_nothing_to_press(visit, site):
    page = visit(site.path, color_scheme="dark")
    page.emulate_media(media="print", color_scheme="dark")

    assert not page.locator("#search").is_visible()
    assert not page.locator("#theme").is_visible()
    assert not page.locator("button.copy").first.is_visible()
    assert len(shown_notes(page)) == page.locator("article.note").count()
    for theme in ("auto", "light", "dark"):
        page.evaluate("theme => { document.documentElement.dataset.theme = theme }", theme)
        assert brightness(page.evaluate("getComputedStyle(document.body).color")) < 100
        assert background(page) in ("rgb(255, 255, 255)", "rgba(0, 0, 0, 0)")
    page.set_viewport_size({"width": 720, "height": 1000})  # A4 without its margins
    cut_off = page.eval_on_selector_all(
        "article.note pre",
        "all => all.filter(pre => pre.scrollWidth > pre.clientWidth + 1).map(pre => pre.textContent)",
    )
    assert cut_off == []


def test_without_scripts_everything_can_be_read(visit, site):
    page = visit(site.path, java_script_enabled=False)

    assert page.eval_on_selector_all("section.view", SHOWN) == list(VIEWS)
    assert len(shown_notes(page)) == page.locator("article.note").count()
    assert page.locator("#matrix tbody td").first.is_visible()
    for useless in ("#search", "#theme", "#matrix-all", "#before", "button.copy"):
        assert not page.locator(useless).first.is_visible()
    last = page.locator("article.note").last
    page.goto(f"{site.path.as_uri()}#{last.get_attribute('id')}")
    assert 0 <= last.bounding_box()["y"] < DESKTOP["height"]


def test_the_pictures_of_measurements_say_in_words_what_they_show(visit, site):
    page = visit(site.path, "#measurements")

    pictures = page.locator("#measurements svg")
    assert pictures.count() >= 1
    for picture in pictures.all():
        assert picture.is_visible()
        assert picture.locator("title").first.text_content()


# Barriers


@pytest.fixture(scope="session")
def varied(build, records_of_here, bench, newest, tmp_path_factory):
    """A page with some of each sort of note, and with failures: axe looks at each thing for as long as at the next."""
    some = samples.few_of_each_sort(newest)["notes"] + newest["notes"][::30]
    keep = {note["note"] for note in some}
    folder = tmp_path_factory.mktemp("varied") / "notes"
    documents = [samples.thinned(json.loads(path.read_text("utf-8")), keep) for path in records_of_here]
    documents[-1] = samples.failing(documents[-1], "something else")
    return build(documents, "--bench", bench, "--notes", samples.thinned_notes(ROOT / "tests" / "notes", folder, keep))


@pytest.mark.parametrize("size", [DESKTOP, PHONE], ids=["desktop", "phone"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("view", VIEWS)
def test_axe_finds_no_barrier(visit, varied, view, scheme, size):
    page = visit(varied.path, f"#{view}", color_scheme=scheme, viewport=size)

    assert barriers(page) == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("fragment", ["#notes?q=tensor", "#notes?q=tensor+quagga", "#start", "#s03-no_such_note"])
def test_axe_finds_no_barrier_while_one_looks_for_something(visit, varied, fragment, scheme):
    page = visit(varied.path, fragment, color_scheme=scheme)
    page.wait_for_function("() => $('found').hidden || CSS.highlights.get('found').size > 0")

    assert barriers(page) == []


def test_axe_finds_no_barrier_in_all_notes_together(visit, site):
    assert barriers(visit(site.path), **{"color-contrast": {"enabled": False}}) == []  # the colours are those of above


def barriers(page, **rules):
    # cards out of sight have estimated places, which can overlap
    page.evaluate("document.querySelectorAll('.note').forEach(note => { note.style.contentVisibility = 'visible' })")
    tags = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
    options = {"runOnly": {"type": "tag", "values": tags}, "resultTypes": ["violations"], "rules": rules}
    found = Axe().run(page, options=options).response["violations"]
    return [(each["id"], [(node["html"], node["failureSummary"]) for node in each["nodes"][:3]]) for each in found]


# Size and speed


@pytest.fixture(scope="session")
def large(build, records_of_here, tmp_path_factory):
    """300 notes under 16 releases on 3 devices."""
    documents = [json.loads(path.read_text("utf-8")) for path in records_of_here]
    names = [note["note"] for note in documents[-1]["notes"]]
    keep = {names[len(names) * place // 300] for place in range(300)}
    folder = samples.thinned_notes(ROOT / "tests" / "notes", tmp_path_factory.mktemp("large") / "notes", keep)
    thin = [samples.thinned(document, keep, ("cpu", "cuda", "mps")) for document in documents]
    return build(thin, "--notes", folder)


def milliseconds(visit, path):
    """Of three visits, the medians: until something is painted, until all is there, until a search and a filter answer.

    And what the browser takes on this machine for 10,000 paragraphs, which says how quick the machine is.
    """
    painted, opened, found, filtered = [], [], [], []
    for _ in range(3):
        page = visit(path)
        page.wait_for_function("performance.getEntriesByName('first-contentful-paint').length")
        painted.append(page.evaluate("performance.getEntriesByName('first-contentful-paint')[0].startTime"))
        opened.append(page.evaluate("performance.getEntriesByType('navigation')[0].domContentLoadedEventEnd"))
        page.wait_for_function("() => indexed === cards.length")
        for text in ("t", "tensor", "tensor n", "", "gradient", "zzz", ""):
            found.append(page.evaluate(ANSWER, ["#search", "input", {"value": text}]))
        for checked in (True, False, True, False):
            filtered.append(page.evaluate(ANSWER, [".filter[value=device]", "change", {"checked": checked}]))
        page.context.close()
    page = visit(path.with_name("nothing.html"))
    laid_out = [page.evaluate(PARAGRAPHS) for _ in range(3)]
    page.context.close()
    return {
        "paints": statistics.median(painted),
        "opens": statistics.median(opened),
        "searches": statistics.median(found),
        "filters": statistics.median(filtered),
        "lays out 10,000 paragraphs": statistics.median(laid_out),
    }


ANSWER = """([selector, event, properties]) => {
    const element = document.querySelector(selector);
    const begin = performance.now();
    Object.assign(element, properties).dispatchEvent(new Event(event, { bubbles: true }));
    return new Promise(done => requestAnimationFrame(() => setTimeout(() => done(performance.now() - begin))));
}"""
"""How long it takes from an event to when the browser has drawn what follows from it."""

PARAGRAPHS = """() => {
    const begin = performance.now();
    document.body.innerHTML = "<p>What a note says, in <code>code</code> and words.</p>".repeat(10_000);
    return new Promise(done => requestAnimationFrame(() => setTimeout(() => done(performance.now() - begin))));
}"""


@pytest.mark.parametrize("which", ["large", "site"])
def test_it_paints_in_half_a_second_and_answers_in_a_twentieth(visit, request, which, say):
    """On a machine that is slow itself, in so many times what 10,000 plain paragraphs take there."""
    built = request.getfixturevalue(which)
    built.path.with_name("nothing.html").write_text("<!doctype html><title>Nothing</title><body>", encoding="utf-8")
    size = built.path.stat().st_size
    found = milliseconds(visit, built.path)

    notes = built.html.count('<article class="note"')
    about = ", ".join(f"{name} in {time:.0f} ms" for name, time in found.items())
    say(f"{notes} notes, {len(built.paths)} runs: {size / 1e6:.2f} MB, {about}")
    assert size < 3e6
    paragraphs = found["lays out 10,000 paragraphs"]
    assert found["paints"] < max(500, 2 * paragraphs)
    assert found["opens"] < max(1000, 4 * paragraphs)
    assert found["searches"] < max(50, 0.15 * paragraphs)
    assert found["filters"] < max(50, 0.15 * paragraphs)


# Pictures for the README


SCREENSHOTS = {
    "screenshot": ("light", DESKTOP, A_MYTH),
    "screenshot-dark": ("dark", DESKTOP, A_MYTH),
    "screenshot-phone": ("light", PHONE, A_MYTH),
    "screenshot-top": ("light", DESKTOP, "notes"),
    "screenshot-versions": ("light", DESKTOP, "versions"),
    "screenshot-measurements": ("light", DESKTOP, "measurements"),
}


@pytest.mark.parametrize("name", SCREENSHOTS)
def test_a_screenshot_is_made(visit, site, request, tmp_path, name):
    scheme, size, target = SCREENSHOTS[name]
    folder = request.config.getoption("screenshots") or tmp_path
    folder.mkdir(parents=True, exist_ok=True)
    page = visit(site.path, f"#{target}", viewport=size, color_scheme=scheme, reduced_motion="reduce")
    assert is_in_sight(page, target)
    path = folder / f"{name}.png"

    page.screenshot(path=path, animations="disabled", caret="hide")

    assert 10_000 < path.stat().st_size <= 300_000
