// One clip through an export's network.onnx, by com.microsoft.onnxruntime:onnxruntime-android.
// Names, types and shapes are those of manifest.json; all whole numbers are int32.
package hstmae

import ai.onnxruntime.OnnxTensor
import ai.onnxruntime.OrtEnvironment
import ai.onnxruntime.OrtSession
import java.nio.FloatBuffer
import java.nio.IntBuffer

/** An input: whole numbers or floats, with its shape. */
sealed class Input(val shape: LongArray) {
    class Whole(val values: IntArray, shape: LongArray) : Input(shape)
    class Floats(val values: FloatArray, shape: LongArray) : Input(shape)
}

/** codes of cells [Q, 2, cells, code], codes of cubes [Q, 2, code], and film [T, 2 * pixel_dim], as flat arrays. */
class Answer(val content: FloatArray, val cube: FloatArray, val film: FloatArray)

class Network(graph: ByteArray) : AutoCloseable {
    private val environment = OrtEnvironment.getEnvironment()
    private val session = environment.createSession(graph, OrtSession.SessionOptions())

    /** Runs one clip. `inputs` may hold more than the graph takes, as `feed_of` in hstmae/portable/network.py does. */
    fun run(inputs: Map<String, Input>): Answer {
        val tensors = session.inputNames.associateWith { name -> tensor(inputs.getValue(name)) }
        try {
            session.run(tensors).use { result ->
                val (content, cube, film) = listOf("content", "cube", "film").map { name ->
                    val buffer = (result.get(name).get() as OnnxTensor).floatBuffer
                    FloatArray(buffer.remaining()).also(buffer::get)
                }
                return Answer(content, cube, film)
            }
        } finally {
            tensors.values.forEach(OnnxTensor::close)
        }
    }

    private fun tensor(input: Input): OnnxTensor = when (input) {
        is Input.Whole -> OnnxTensor.createTensor(environment, IntBuffer.wrap(input.values), input.shape)
        is Input.Floats -> OnnxTensor.createTensor(environment, FloatBuffer.wrap(input.values), input.shape)
    }

    override fun close() = session.close()
}

/** The head, compiled into the app from _head.c behind a JNI function that fills in its `Job`. */
object Head {
    init {
        System.loadLibrary("hst_head")
    }

    external fun draw(
        table: FloatArray, rows: IntArray?, drawn: FloatArray, inward: FloatArray, scale: FloatArray, bias: FloatArray,
        outward: FloatArray, outBias: FloatArray, names: ByteArray, palette: FloatArray, entry: ByteArray,
    )
}
