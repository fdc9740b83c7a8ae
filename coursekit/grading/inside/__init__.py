"""What runs in the sandbox. Standalone: the standard library, NumPy and safetensors, torch only where it is loaded already.

The trusted side imports the same files as `coursekit.grading.inside`, so that both ends speak one language; nothing here imports coursekit.
"""
