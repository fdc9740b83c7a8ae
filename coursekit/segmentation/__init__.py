"""Every pixel an answer. Taught in notebook 22_segmentation.

`fcn` and `unet` are two small networks on one encoder; `losses` has dice; `masks` the run-length code and connected components;
`instances` a mask inside each box; `panoptic` puts things and stuff on one map. The measures are in `coursekit.metrics.segmentation`
and `coursekit.metrics.panoptic`.
"""
