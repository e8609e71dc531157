"""Erase a person's rows from everything that an environment stores: `ptmlops forget`.

places.py    where rows may be, and how they are read there
person.py    what is known of the person's rows, and which rows are theirs; texts.py compares texts
formats/     read the rows of a file, and write it without some of them
search.py    find the rows, until a search finds nothing new
plan.py      the positions of the rows, saved before anything is changed
carrying.py  rewrite or delete each object; uploads.py and documents.py do what else an upload or a run needs
pause.py     let runs wait meanwhile
record.py    what stays: counts and keyed hashes
models.py    the models that learned from the rows; retraining.py replaces them

docs/decisions/0022-erasure-by-a-plan-of-positions.md explains the order.
"""
