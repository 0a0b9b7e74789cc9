"""Speech of programmed calls: texts become sounds, by engines in processes of their own, with a cache on disk.

synthesis.py is the door. Nothing is imported here: the processes of engines load no more than they need.
"""
