"""Grading that cannot be talked out of a grade: what an answer is worth is decided in a process that no answer runs in.

    assignment  what a teacher hands out, and, apart from it, all that a grade depends on (`coursekit assignment make`)
    intake      what came back: folders and zips of notebooks, read as data and never believed
    sandbox     a process with nothing in it but a learner's code and the libraries that the exercise allows
    judge       draws inputs, asks the sandboxed answer, compares with ours
    gradebook   what was decided, append-only; feedback and a report of the class are made from it

Linux only. Nothing outside this folder and the command line imports it.
"""
