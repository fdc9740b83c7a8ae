"""check: the key that learners press again and again."""

from coursekit.exercises.core import find


def check(name, answer, strict=False):
    """First version; the diagnosing one follows."""
    exercise = find(name)
    try:
        for label, arguments in exercise.draw_cases():
            problem = exercise.compare.difference(exercise.outcome(exercise.reference, arguments), exercise.outcome(answer, arguments))
            if problem:
                print(f"✗ {label}: {problem}")
                return exercise.reference
    except NotImplementedError:
        print(f"○ {exercise.name}: not attempted yet. Ours is used until yours passes.")
        return exercise.reference
    print(f"✓ {exercise.name} passed")
    return answer
