"""
The dashboard: what `check` and `status` see, in a browser; it reads, and changes nothing.

A *source* looks (`source.py`: the very look of the command line), `live.py` repeats that while somebody
watches and tells every open page when something changed, `security.py` decides who may ask, and `app.py` puts
them together. Pages are written here, by templates; the one script in `static/` only swaps in what changed.

To add a page:

1. A module in `pages/` with `def show(asked: Asked) -> Response`. It runs in a thread, so it may read files;
   it gives `asked.render("NAME.html.j2", …)`. `asked.present` is what is known now, `asked.texts` the words.
2. A line in `pages/__init__.py`, in the table PAGES: its path, `show`, and for the navigation the code of a
   label.
3. A template in `templates/` that extends `base.html.j2` and fills the block `main`. Words come from
   `label('code')` and `say('dashboard.code', value=…)`, in `texts/en` and `texts/zh`; no style attribute
   and no script in it, for the browser would refuse both (strict CSP). An element with `data-live="KEY"`, a
   key that is unique on the page, is exchanged by itself when it changed; what has no such element around
   it stays as it was loaded.

To add a part to the page of a server (a time line, a checklist): a function in a module of `pages/` that
gives a `Part`, and a line in the table PARTS of `pages/server.py`.
"""
